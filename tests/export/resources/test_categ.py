"""Events of categories (reference 5.3.1).

Covers `export.fossils.category`.
"""

from __future__ import annotations

import pytest

from export.auth.api_keys import key_ring
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.people.user import Avatar, users
from scheduler.store import transact
from tests.export.planting import at, change, get


@pytest.fixture
def categories(planted, database):
    """A client of the two events that reference 5.3.1 shows, and of one below them."""

    def add(connection):
        found = catalogue(connection)
        test = found.category("2")
        event = Conference("137344", "Test EPayment")
        event.setDates(at(17, 8), at(30, 18))
        event.type = "conference"
        event.update(location="CERN", room="1-1-025", timezone="Europe/Zurich")
        found.add_event(event, test)
        below = Category("3", "Below")
        found.add_category(below, test)
        later = Conference("9", "Later")
        later.setDates(at(29, 8), at(29, 9))
        later.type = "simple_event"
        found.add_event(later, below)

    transact(database, add)
    return planted


def ids(client, query):
    return [event["id"] for event in get(client, f"/export/categ/{query}")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("2.json", ["137344", "137346", "9"]),
        ("0.json", ["137344", "137346", "9"]),
        ("3.json", ["9"]),
        ("3-2.json", ["9", "137344", "137346"]),
        ("3,3.json", ["9"]),
        ("77.json", []),
        ("2.json?from=2011-06-23&to=2011-06-23", ["137344", "137346"]),
        ("2.json?from=2011-06-25&to=2011-06-28", ["137344"]),
        ("2.json?from=2011-06-29T09:00&tz=Europe/Zurich", ["137344", "9"]),
        ("2.json?from=2011-06-29T09:01&tz=Europe/Zurich", ["137344"]),
        ("2.json?to=2011-06-23T07:59&tz=Europe/Zurich", ["137344"]),
        ("2.json?to=2011-06-23T08:00&tz=Europe/Zurich", ["137344", "137346"]),
        ("2.json?f=2012-01-01", []),
        ("2.json?location=ce*", ["137344", "137346"]),
        ("2.json?l=C?RN&r=1-1-*", ["137344"]),
        ("2.json?room=1-1", []),
        ("2.json?type=lecture", ["9"]),
        ("2.json?T=simple_event", ["9"]),
        ("2.json?T=meeting", ["137346"]),
        ("2.json?T=party", []),
        ("2.json?order=id", ["9", "137344", "137346"]),
        ("2.json?order=title&descending=yes&limit=1", ["137344"]),
        ("favorites.json", []),
    ],
)
def test_a_category_answers_its_events_by_start(categories, query, expected):
    assert ids(categories, query) == expected


def test_favorites_are_the_callers_own(categories, database):
    def favour(connection):
        ann = Avatar("ann")
        ann.favorites = ("3",)
        users(connection).add(ann)
        return key_ring(connection).create("ann").key

    key = transact(database, favour)
    assert ids(categories, f"favorites.json?ak={key}") == ["9"]
    assert ids(categories, f"favorites.json?ak={key}&onlypublic=yes") == []


def test_the_way_to_each_category_is_told_and_hides_what_is_protected(categories, database):
    answer = categories.get("/export/categ/3.json").json
    (way,) = answer["additionalInfo"]["eventCategories"]
    assert (way["_type"], way["categoryId"]) == ("CategoryPath", "3")
    *path, last = way["path"]
    assert [(one["id"], one["name"]) for one in path] == [
        ("0", "Home"),
        ("2", "TEST Category"),
        ("3", "Below"),
    ]
    assert path[1] == {
        "_type": "Category",
        "_fossil": "categoryMetadata",
        "id": "2",
        "name": "TEST Category",
        "url": "https://indico.server/category/2/",
    }
    assert last == {"visibility": {"name": "Everywhere"}}

    def protect(connection):
        catalogue(connection).category("2").setProtection(Protection.RESTRICTED)
        catalogue(connection).category("3").setProtection(Protection.PUBLIC)
        catalogue(connection).category("3").visibility = 2

    transact(database, protect)
    answer = categories.get("/export/categ/3.json")
    (way,) = answer.json["additionalInfo"]["eventCategories"]
    assert way["path"][1]["name"] is None
    assert way["path"][1]["_fossil"] == "categoryProtectedMetadata"
    assert way["path"][-1] == {"visibility": {"name": None}}
    assert "TEST" not in answer.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("2.json", False),
        ("2.json?to=2011-06-23", True),
        ("2.json?to=2011-06-28", True),
        ("2.json?to=2011-06-29", False),
        ("favorites.json?to=2011-06-01", False),
    ],
)
def test_later_events_are_announced(categories, query, expected):
    answer = categories.get(f"/export/categ/{query}").json
    assert answer["additionalInfo"]["moreFutureEvents"] is expected


def test_later_events_that_the_caller_may_not_see_are_not_announced(categories, database):
    transact(
        database, lambda c: catalogue(c).event("9").setProtection(Protection.RESTRICTED) and None
    )
    answer = categories.get("/export/categ/3.json?to=2011-06-23").json
    assert answer["additionalInfo"] == {"eventCategories": [], "moreFutureEvents": False}


def test_an_event_that_moves_or_is_renamed_is_found_as_it_is_now(categories, database):
    def work(connection):
        found = catalogue(connection)
        found.move_event(found.event("9"), found.root)

    transact(database, work)
    change(database, lambda event: event.setDates(at(1, 8), at(1, 9)))
    assert ids(categories, "3.json") == []
    assert ids(categories, "2.json?to=2011-06-02") == ["137346"]


def test_categories_can_be_read_in_every_format(categories):
    for form in ("json", "jsonp", "xml", "html", "ics", "atom"):
        assert categories.get(f"/export/categ/2.{form}").status_code == 200
