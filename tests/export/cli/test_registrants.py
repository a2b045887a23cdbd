"""Registrants from the command line: one by one, and from a CSV file."""

from __future__ import annotations

import json
from functools import partial

import pytest

HEADER = "First Name,Last Name,Email Address,Registration state,Tags,Ticket UUID\n"


@pytest.fixture
def run(run):
    return partial(run, "registrant")


@pytest.fixture
def listed(run):
    return lambda: json.loads(run("list", "137346", "--json"))


def test_a_registrant_is_added_checked_in_and_forgotten(run, listed):
    said = run("add", "137346", "--email", "ada@example.org", "--surname", "Byron", "--tag", "vip")
    assert said == "registrant 0, ada@example.org, is registered\n"
    run("check-in", "137346", "0")
    (one,) = listed()
    assert (one["name"], one["state"], one["tags"]) == ("Byron", "complete", "vip")
    assert one["checked_in"]
    run("check-out", "137346", "0")
    assert not listed()[0]["checked_in"]
    run("remove", "137346", "0")
    assert listed() == []


def test_a_file_is_taken_over_once_however_often_it_is_imported(run, listed, tmp_path):
    file = tmp_path / "people.csv"
    rows = "Ada,Byron,ada@example.org,complete,vip;early,s-1\nEve,,eve@example.org,pending,,\n"
    file.write_text(HEADER + rows, encoding="utf-8-sig")
    assert run("import", "137346", str(file)) == "event 137346: 2 registered, 0 changed\n"
    file.write_text(HEADER + rows.replace("Eve", "Eva").replace("eve@", "EVE@"))
    assert run("import", "137346", str(file)) == "event 137346: 0 registered, 2 changed\n"
    ada, eva = listed()
    assert (ada["name"], ada["tags"], eva["name"], eva["state"]) == (
        *("Ada Byron", "vip, early", "Eva"),
        "pending",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shoe,email\n42,a@b\n", "people.csv:1 has a column 'shoe'"),
        ("email\nnobody\n", "people.csv:2 has no e-mail address"),
        ("email,state\na@b,gone\n", "people.csv:2: there is no state 'gone'"),
        ("email,state\na@b\n", "people.csv:2 has not as many columns"),
        ('email\n"a@b\n', "cannot be read as CSV"),
    ],
)
def test_of_a_file_that_is_wrong_nothing_goes_in(run, listed, tmp_path, text, told):
    file = tmp_path / "people.csv"
    file.write_text(text)
    assert told in run("import", "137346", str(file), status=1)
    assert listed() == []


def test_what_is_not_there_is_told(run, tmp_path):
    assert "there is no event '1'" in run("list", "1", status=1)
    assert "no registrant '7'" in run("check-in", "137346", "7", status=1)
    assert "cannot be read" in run("import", "137346", str(tmp_path / "none.csv"), status=1)
    run("add", "137346", "--email", "a@b", "--state", "pending")
    assert "registrant 0 is pending" in run("check-in", "137346", "0", status=1)
