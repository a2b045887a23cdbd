"""The command `indico_export import`: what it says, and its exit status.

Covers `export.cli.takeover`.
"""

from __future__ import annotations

import json

import pytest

from export.cli.main import main
from export.model.catalogue import catalogue
from scheduler.store import connect
from tests.places import SMALL_EVENT


def run(uri, *arguments):
    return main(["import", *map(str, arguments), "--database", uri])


def events(uri):
    with connect(uri) as connection:
        return sorted(catalogue(connection).events)


def test_the_command_imports_once_and_replaces_when_told(uri, capsys):
    assert run(uri, SMALL_EVENT) == 0
    assert capsys.readouterr().out == "imported event 77: Spring School, 2 contributions\n"
    assert run(uri, SMALL_EVENT) == 1
    assert "--replace" in capsys.readouterr().err
    assert run(uri, SMALL_EVENT, "--replace") == 0


@pytest.mark.parametrize("content", ["{", "[]", "hello", "", '{"results": 3}', "<a"])
def test_a_file_that_is_nothing_known_is_named_in_one_line(uri, tmp_path, capsys, content):
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    assert run(uri, bad) == 1
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"indico_export: {bad}: ")
    assert last == "indico_export: 1 problem; nothing was imported"


def test_of_several_files_the_good_ones_go_in(uri, tmp_path, capsys):
    missing = tmp_path / "missing.json"
    assert run(uri, missing, SMALL_EVENT) == 1
    assert f"{missing}: it cannot be read: No such file or directory" in capsys.readouterr().err
    assert events(uri) == ["77"]


def test_nothing_goes_in_with_strict_if_anything_is_bad(uri, tmp_path, capsys):
    assert run(uri, SMALL_EVENT, tmp_path / "missing.json", "--strict") == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("1 problem; nothing was imported\n")
    assert events(uri) == []
    assert run(uri, SMALL_EVENT, "--strict") == 0
    assert events(uri) == ["77"]


def test_many_events_go_in_and_each_is_told(uri, tmp_path, capsys):
    answer = json.loads(SMALL_EVENT.read_bytes())
    answer["results"] = [{**answer["results"][0], "id": number} for number in range(50)]
    many = tmp_path / "many.json"
    many.write_text(json.dumps(answer))
    assert run(uri, many) == 0
    assert len(capsys.readouterr().out.splitlines()) == 50
    assert len(events(uri)) == 50


def test_a_calendar_goes_into_the_category_that_is_named(uri, tmp_path, capsys):
    calendar = tmp_path / "c.ics"
    calendar.write_text(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260301T090000Z\nSUMMARY:Tea\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    )
    assert run(uri, calendar, "--category", "12") == 0
    with connect(uri) as connection:
        (event,) = catalogue(connection).events.values()
        assert event.getOwner().getId() == "12"


def test_bad_usage_ends_with_2():
    with pytest.raises(SystemExit) as ended:
        main(["import"])
    assert ended.value.code == 2
