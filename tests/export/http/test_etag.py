"""Who has an answer already is not sent it again."""

from __future__ import annotations

import pytest

from export.auth.api_keys import key_ring
from export.model.access import Protection
from scheduler.store import transact
from tests.export.planting import change

PATH = "/export/event/137346"
FORMS = ["json", "jsonp", "xml", "html", "ics", "atom"]


def ask(client, address, etag=None):
    return client.get(address, headers={"If-None-Match": etag} if etag else {})


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_is_sent_once_in_every_format(planted, stopped_clock, form):
    first = ask(planted, f"{PATH}.{form}")
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    stopped_clock.advance(3600)
    again = ask(planted, f"{PATH}.{form}", etag)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert ask(planted, f"{PATH}.{form}").headers["ETag"] == etag


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_says_something_else_is_sent(planted, database, form):
    etag = ask(planted, f"{PATH}.{form}").headers["ETag"]
    change(database, lambda event: event.setTitle("Another"))
    again = ask(planted, f"{PATH}.{form}", etag)
    assert again.status_code == 200
    assert again.headers["ETag"] != etag


def test_another_caller_gets_another_answer(planted, database):
    change(database, lambda event: event.grant_modification("ann"))
    key = transact(database, lambda connection: key_ring(connection).create("ann").key)
    etag = ask(planted, f"{PATH}.json").headers["ETag"]
    own = ask(planted, f"{PATH}.json?ak={key}", etag)
    assert own.status_code == 200
    assert own.headers["Cache-Control"] == "private, no-cache"
    assert ask(planted, f"{PATH}.json?ak={key}", own.headers["ETag"]).status_code == 304


def test_an_event_that_was_closed_meanwhile_is_not_confirmed(planted, database):
    etag = ask(planted, f"{PATH}.json").headers["ETag"]
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    again = ask(planted, f"{PATH}.json", etag)
    assert (again.status_code, again.json["results"]) == (200, [])


def test_an_error_is_never_confirmed(planted):
    answer = ask(planted, f"{PATH}.json?detail=x", "*")
    assert answer.status_code == 400
    assert "ETag" not in answer.headers


def test_a_head_tells_the_same(planted):
    etag = ask(planted, f"{PATH}.json").headers["ETag"]
    assert planted.head(f"{PATH}.json").headers["ETag"] == etag


def test_the_date_of_an_answer_plays_no_part_where_its_validator_is_told(planted):
    headers = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    answer = planted.get(f"{PATH}.json", headers={**headers, "If-None-Match": '"another"'})
    assert answer.status_code == 200
    assert answer.json["count"] == 1


def test_a_condition_on_what_it_is_comes_first(planted):
    etag = ask(planted, f"{PATH}.json").headers["ETag"]
    headers = {"If-Match": '"another"', "If-None-Match": etag}
    assert planted.get(f"{PATH}.json", headers=headers).status_code == 412
