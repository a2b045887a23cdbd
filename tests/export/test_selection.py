"""Limits, offsets and orders (reference 5.2)."""

from __future__ import annotations

import pytest

from export.model.catalogue import catalogue
from export.model.conference import Conference
from scheduler.store import transact
from tests.export.planting import at, get


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
