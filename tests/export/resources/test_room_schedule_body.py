"""The bodies of requests of the schedule API: each fault is told by its field."""

from __future__ import annotations

import json

import pytest

from scheduler.store import transact
from tests.export.resources.schedule_api import (
    BASE,
    BLANK,
    DAY,
    DOCUMENTED,
    START,
    plant,
)


@pytest.fixture
def database(at_work):
    transact(at_work.database, plant)
    return at_work.database


def test_everything_that_is_wrong_is_told_at_once(api):
    code, answer = api.post("", {"name": " ", "recurrence": {"type": "x", "end_after": 0}})
    assert code == answer["code"] == 400
    assert answer["data"]["message"] == "Validation Error"
    told = {field["name"]: field["message"] for field in answer["data"]["fields"]}
    assert told == {
        "name": BLANK,
        "room": BLANK,
        "start_at": BLANK,
        "duration": BLANK,
        "type": "This value should be one of weekly, monthly, daily, none.",
        "end_after": "This value should be greater than 0.",
    }


def test_the_documented_failure_is_answered_as_documented(api):
    without_name = {name: value for name, value in DOCUMENTED.items() if name != "name"}
    assert api.post("", without_name) == (
        400,
        {
            "data": {
                "message": "Validation Error",
                "fields": [{"name": "name", "message": BLANK}],
            },
            "code": 400,
        },
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("room", 40),
        ("room", "x"),
        ("room", True),
        ("start_at", START - 2 * DAY),
        ("start_at", "9" * 12),
        ("start_at", "9" * 5000),
        ("start_at", -1),
        ("start_at", [1]),
        ("duration", 0),
        ("duration", "1.5"),
        ("name", {}),
        ("name", "x" * 1001),
    ],
)
def test_a_field_that_makes_no_sense_is_named(api, field, value):
    code, answer = api.post("", {**DOCUMENTED, field: value})
    assert code == 400
    assert [one["name"] for one in answer["data"]["fields"]] == [field]
    assert api.get("/1")[0] == 404


@pytest.mark.parametrize(
    ("recurrence", "field"),
    [
        ("weekly", "recurrence"),
        ({"type": "weekly", "weeks_range": "7"}, "weeks_range"),
        ({"type": "weekly", "weeks_range": "a"}, "weeks_range"),
        ({"type": "daily", "range_type": "until"}, "range_type"),
        ({"type": "daily", "range_type": "after"}, "end_after"),
        ({"type": "daily", "range_type": "by"}, "end_by"),
        ({"type": "daily", "range_type": "by", "end_by": "2030-04-30"}, "end_by"),
        ({"type": "daily", "range_type": "by", "end_by": "02-30-2031"}, "end_by"),
        ({"type": "daily", "range_type": "by", "end_by": "03-01-2030"}, "recurrence"),
    ],
)
def test_a_recurrence_that_makes_no_sense_is_named(api, recurrence, field):
    code, answer = api.post("", {**DOCUMENTED, "recurrence": recurrence})
    assert code == 400
    assert [one["name"] for one in answer["data"]["fields"]] == [field]


def test_a_schedule_that_would_run_into_itself_is_refused(api):
    body = {**DOCUMENTED, "duration": DAY + 1, "recurrence": {"type": "daily"}}
    code, answer = api.post("", body)
    assert (code, answer["data"]["fields"][0]["name"]) == (400, "recurrence")


@pytest.mark.parametrize("sent", [b"{", b"[]", b"name=x", b"\xff", b""])
def test_a_body_that_is_no_json_object_is_answered_with_500(api, sent):
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = api.client.post(f"{BASE}?access_token={api.token}", data=sent, content_type=kind)
        assert (answer.status_code, answer.json["code"]) == (500, 500)


def test_json_is_read_whatever_it_is_called(api):
    for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded"), 1):
        body = json.dumps({**DOCUMENTED, "start_at": START + number * 300})
        answer = api.client.post(f"{BASE}?access_token={api.token}", data=body, content_type=kind)
        assert answer.json == [number]
