"""The application: addresses, envelopes, errors, and who is let in.

Covers `export.errors`, `export.answers.reply`, `export.http.dates`, `export.http.result`.
"""

import json
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.app import make_app
from export.auth.api_keys import key_ring
from export.errors import ExportConfigurationException, MalformedRequest
from export.http.dates import parse_from, parse_to
from export.model.access import Protection
from scheduler.store import transact
from tests.export.planting import ZURICH, change, error, get

NOW = datetime(2014, 3, 24, 22, 30, tzinfo=UTC)


def test_the_envelope_has_all_fields_and_slashes_are_escaped(planted):
    answer = planted.get("/export/event/137346.json?pretty=yes")
    envelope = answer.json
    envelope.pop("results")
    assert isinstance(envelope.pop("ts"), int)
    assert envelope == {
        "count": 1,
        "additionalInfo": {},
        "_type": "HTTPAPIResult",
        "complete": True,
        "url": "https://indico.server/export/event/137346.json?pretty=yes",
    }
    assert r"https:\/\/indico.server\/export" in answer.text
    assert answer.text.startswith('{\n    "count": 1,')


@pytest.mark.parametrize("ids", ["137346-7", "7,137346", "137346-137346"])
def test_id_lists_skip_what_is_unknown_or_repeated(planted, ids):
    assert [event["id"] for event in get(planted, f"/export/event/{ids}.json")] == ["137346"]


def test_objects_that_a_caller_may_not_see_are_left_out(planted, database):
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    assert get(planted, "/export/event/137346.json") == []
    change(database, lambda event: event.grant_access("ann"))
    key = transact(database, lambda connection: key_ring(connection).create("ann").key)
    assert len(get(planted, f"/export/event/137346.json?ak={key}")) == 1
    assert get(planted, f"/export/event/137346.json?ak={key}&onlypublic=yes") == []


def test_a_restricted_contribution_is_left_out_of_an_open_event(planted, database):
    change(database, lambda event: event.contributions["0"].setProtection(Protection.RESTRICTED))
    (event,) = get(planted, "/export/event/137346.json?detail=contributions")
    assert [talk["id"] for talk in event["contributions"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("137346.json?detail=x", 400, "Invalid detail level: x"),
        (
            "137346.json?n=5000",
            400,
            "You can only request up to 1000 records per request with the detail level 'events'",
        ),
        ("137346.json?tz=Mars", 400, "Bad timezone: 'Mars'"),
        ("137346.json?limit=x", 400, "Expected an integer for limit"),
        ("137346.json?offset=-1", 400, "Offset must be a positive number"),
        ("137346.json?to=-1d", 400, "End date cannot be a negative offset"),
        ("137346.json?ak=x", 403, "Invalid API key"),
        ("137346.json?oa=yes", 403, "Not authenticated"),
        (
            "137346.xyz",
            404,
            "Unknown format 'xyz'; known are json, jsonp, xml, html, ics, atom",
        ),
        ("search/x.ics", 404, "Unknown format 'ics'; known are json, jsonp, xml"),
    ],
)
def test_a_bad_request_is_answered_with_its_error(planted, address, status, message):
    assert error(planted, f"/export/event/{address}") == (status, message)


def test_an_unknown_address_is_not_found_and_post_is_not_allowed(planted):
    assert error(planted, "/export/nothing/1.json")[0] == 404
    answer = planted.post("/export/event/137346.json")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_jsonp_calls_the_named_function(planted):
    assert planted.get("/export/event/1.jsonp?jsonp=f").text.startswith(
        "// fetched from Indico\nf({"
    )
    assert error(planted, "/export/event/1.jsonp?jsonp=alert(1)//")[0] == 400


def test_an_unknown_setting_is_named(database):
    with pytest.raises(ExportConfigurationException, match=r"'api_mod'.*api_mode"):
        make_app(database, {"api_mod": 1})


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_from, "today", datetime(2014, 3, 24, tzinfo=ZURICH)),
        (parse_to, "tomorrow", datetime(2014, 3, 25, 23, 59, 59, tzinfo=ZURICH)),
        (parse_from, "-7d", datetime(2014, 3, 17, tzinfo=ZURICH)),
        (parse_from, "-70000", datetime(2014, 3, 17, tzinfo=ZURICH)),
        (parse_to, "2h", datetime(2014, 3, 25, 23, 59, 59, tzinfo=ZURICH)),
        (parse_from, "2014-04-01T09:30", datetime(2014, 4, 1, 9, 30, tzinfo=ZURICH)),
        (parse_from, "2014-04-01T09:30:05", datetime(2014, 4, 1, 9, 30, 5, tzinfo=ZURICH)),
        (parse_from, "2014-04-01T09:30:05Z", datetime(2014, 4, 1, 9, 30, 5, tzinfo=UTC)),
        (parse_to, "2014-04-01T09:30:05+02:00", datetime(2014, 4, 1, 7, 30, 5, tzinfo=UTC)),
        (parse_to, "2014-04-01T09:30:05 02:00", datetime(2014, 4, 1, 7, 30, 5, tzinfo=UTC)),
        (parse_to, "2014-04-01T09:30-0330", datetime(2014, 4, 1, 13, 0, tzinfo=UTC)),
        (parse_from, "2014-04-01T09:30:05.000500", datetime(2014, 4, 1, 9, 30, 5, 500, ZURICH)),
        (parse_from, "2014-04-01 09:30:05", datetime(2014, 4, 1, 9, 30, 5, tzinfo=ZURICH)),
        (parse_from, "20140401T093005Z", datetime(2014, 4, 1, 9, 30, 5, tzinfo=UTC)),
        (parse_to, " 1d", datetime(2014, 3, 25, 23, 59, 59, tzinfo=ZURICH)),
        (parse_from, "now", NOW),
        (parse_from, "", None),
    ],
)
def test_dates_are_those_of_the_vectors(stopped_clock, parse, text, expected):
    assert parse(text, ZURICH) == expected


@pytest.mark.parametrize(
    "text", ["24h", "60m", "20110601", "2011-13-01", "1D", "x", "2014-04-01T09:30+25:00"]
)
def test_other_dates_are_refused(text):
    with pytest.raises(MalformedRequest):
        parse_from(text, ZURICH)


@given(st.text(string.digits + "dhm+-T:tonw ", max_size=12))
def test_any_text_is_a_date_or_is_refused(text):
    try:
        parsed = parse_to(text, ZURICH)
    except MalformedRequest:
        return
    assert parsed is None or parsed.tzinfo is not None


def test_json_answers_are_ascii(planted, database):
    change(database, lambda event: event.setTitle("Zürich"))
    text = planted.get("/export/event/137346.json").data
    assert rb"Z\u00fcrich" in text
    assert json.loads(text)["results"][0]["title"] == "Zürich"
