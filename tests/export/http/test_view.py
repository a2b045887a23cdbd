"""Limits, offsets and orders (reference 5.2).

Covers `export.http.page`, `export.http.selection`.
"""

from __future__ import annotations

import pytest

from export.model.catalogue import catalogue
from export.model.conference import Conference
from scheduler.store import transact
from tests.export.planting import at, error, get


@pytest.fixture
def many(database, client):
    """A client of 102 events, 7 of which are named to be told apart."""

    def add(connection):
        found = catalogue(connection)
        for number in range(102):
            event = Conference(str(number), f"t{(number * 7) % 102:03}")
            if number % 10:
                event.setDates(at(1 + number % 25, 8), at(2 + number % 25, number % 12))
            found.add_event(event)

    transact(database, add)
    return client


def ids(client, address):
    return [event["id"] for event in get(client, address)]


SOME = "/export/event/3-11-10-2-101.json"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["3", "11", "10", "2", "101"]),
        ("order=id", ["2", "3", "10", "11", "101"]),
        ("o=id&descending=yes", ["101", "11", "10", "3", "2"]),
        ("c=yes", ["101", "11", "10", "3", "2"]),
        ("order=title", ["2", "3", "10", "11", "101"]),
        ("order=start", ["101", "2", "3", "11", "10"]),
        ("order=end", ["101", "2", "3", "11", "10"]),
        ("order=start&c=yes", ["11", "3", "2", "101", "10"]),
        ("order=end&descending=yes", ["11", "3", "2", "101", "10"]),
        ("order=nothing", ["2", "3", "10", "11", "101"]),
        ("limit=2", ["3", "11"]),
        ("n=2&O=2", ["10", "2"]),
        ("limit=0&offset=4", ["101"]),
        ("limit=-1&offset=900000000000000", []),
        ("order=id&limit=1&offset=1", ["3"]),
    ],
)
def test_events_come_in_the_order_and_the_part_that_is_asked_for(many, query, expected):
    shown = ids(many, f"{SOME}?{query}")
    if query in ("order=title",):
        titles = [f"t{(int(number) * 7) % 102:03}" for number in shown]
        assert titles == sorted(titles)
    else:
        assert shown == expected


def test_complete_is_false_only_when_the_servers_own_limit_cuts_something_off(many):
    address = f"/export/event/{'-'.join(map(str, range(102)))}.json?detail=sessions"

    def count_and_complete(more):
        answer = many.get(address + more).json
        return answer["count"], answer["complete"]

    assert count_and_complete("") == (100, False)
    assert count_and_complete("&limit=100") == (100, True)
    assert count_and_complete("&limit=7") == (7, True)
    assert count_and_complete("&offset=2") == (100, True)
    assert count_and_complete("&offset=1") == (100, False)
    assert count_and_complete("&offset=50") == (52, True)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", 2),
        ("&from=2011-06-24", 1),
        ("&to=2011-06-23", 1),
        ("&f=2011-06-23&t=2011-06-24", 2),
        ("&from=2011-06-23T08:01", 1),
        ("&day=2011-06-24", 1),
        ("&from=0001-01-01&to=9999-12-31", 2),
        ("&from=9999-12-31", 0),
    ],
)
def test_occurrences_are_those_inside_the_dates(planted, query, days):
    (event,) = get(planted, f"/export/event/137346.json?occ=yes&tz=Europe/Zurich{query}")
    assert len(event["occurrences"]) == days


WRONG = {
    "O": ("-1", "Offset must be a positive number"),
    "tz": ("Mars", "Bad timezone: 'Mars'"),
    "n": (
        "1001",
        "You can only request up to 1000 records per request with the detail level 'x'",
    ),
    "day": ("x", "'day' can only be used without 'from' and 'to'"),
    "f": ("y", "Impossible to parse 'y'"),
    "t": ("-1d", "End date cannot be a negative offset"),
    "d": ("x", "Invalid detail level: x"),
}


@pytest.mark.parametrize("first", range(len(WRONG)))
def test_the_first_thing_that_is_wrong_is_told(client, first):
    wrong = dict(list(WRONG.items())[first:])
    query = "&".join(f"{name}={value}" for name, (value, _) in {**wrong, "d": WRONG["d"]}.items())
    assert error(client, f"/export/event/1.json?{query}") == (400, next(iter(wrong.values()))[1])


@pytest.mark.parametrize("sign", ["", "%2B", "-"])
def test_the_range_of_hours_and_minutes_is_checked_forward_only(client, sign):
    for part in ("24h", "60m", "1d24h"):
        answer = client.get(f"/export/event/1.json?from={sign}{part}")
        assert answer.status_code == (200 if sign == "-" else 400)
        if sign != "-":
            assert answer.json["message"] == "Invalid time!"


@pytest.mark.parametrize(
    ("short", "long", "value"),
    [
        ("O", "offset", "1"),
        ("n", "limit", "2"),
        ("o", "order", "title"),
        ("c", "descending", "yes"),
        ("d", "detail", "sessions"),
        ("f", "from", "2011-06-02"),
        ("t", "to", "2011-06-02"),
    ],
)
def test_short_forms_mean_the_same_and_win(many, short, long, value):
    address = "/export/categ/0.json?limit=50" if long != "limit" else "/export/categ/0.json?O=0"
    by_short = get(many, f"{address}&{short}={value}")
    assert by_short == get(many, f"{address}&{long}={value}")
    assert by_short == get(many, f"{address}&{long}=1&{short}={value}")


def test_parameters_that_nobody_knows_change_nothing(many):
    plain = get(many, SOME)
    for query in ("_=123", "nocache=yes", "nc=yes", "foo=bar", "timestamp=1", "LIMIT=1"):
        assert get(many, f"{SOME}?{query}") == plain


def test_flags_are_set_by_yes_alone(many):
    plain = ids(many, SOME)
    for value in ("YES", "true", "1", "no", ""):
        assert ids(many, f"{SOME}?descending={value}") == plain
