"""Locations and rooms from the command line.

Covers `export.cli.reservations`, `export.cli.slots`.
"""

from __future__ import annotations

import json

import pytest

from export.rooms.collisions import UNAVAILABLE
from export.rooms.registry import rooms
from scheduler.store import open_database, transact
from tests.export.planting_rooms import local, slots

WHERE = ("--building", "500", "--floor", "1", "--number", "201")


@pytest.fixture
def made(run):
    run("location", "create", "CERN", "--timezone", "Europe/Zurich")
    run("room", "create", "CERN", "120", *WHERE, "--name", "Mezzanine", "--equipment", "Beamer")
    return run


def look(run, work):
    database = open_database(run.uri)
    try:
        return transact(database, lambda connection: work(rooms(connection).rooms[120]))
    finally:
        database.close()


def test_rooms_are_made_shown_and_changed(made):
    made("room", "change", "120", "--needs-confirmation", "yes", "--responsible", "7")
    assert json.loads(made("room", "list", "--json")) == [
        {
            "id": 120,
            "location": "CERN",
            "name": "500-1-201 - Mezzanine",
            "active": True,
            "confirmation": True,
            "responsible": "7",
        }
    ]
    assert look(made, lambda room: room.equipment) == ("Beamer",)
    assert json.loads(made("location", "list", "--json")) == [
        {"name": "CERN", "timezone": "Europe/Zurich", "rooms": 1}
    ]


def test_a_room_that_is_closed_cannot_be_booked_at_any_hour(made):
    made("room", "close", "120", "2030-12-24", "2030-12-26T12:00")

    def try_to_book(room):
        with pytest.raises(Exception, match=UNAVAILABLE):
            room.book(slots(local(2030, 12, 25, 20)), "7", "", "")
        return room.book(slots(local(2030, 12, 26, 12)), "7", "", "").id

    assert look(made, try_to_book) == 1


def test_a_room_that_was_closed_is_opened_again(made):
    when = ("120", "2030-12-24", "2030-12-26")
    made("room", "close", *when)
    made("room", "reopen", *when)
    assert look(made, lambda room: room.diary.unavailable) == ()


def test_the_users_of_rooms_are_set(made):
    assert made("room", "users", "7", "8") == "the rooms are for 7, 8\n"
    assert made("room", "managers", "9") == "managers of the rooms: 9\n"
    made("room", "change", "120", "--booker", "7", "--manager", "8")
    made("room", "block", "120", "2030-05-01", "2030-05-02", "--by", "8", "--for", "9")

    def rights(room):
        may_book = [user for user in "6789" if room.may_be_booked_by(user)]
        day = slots(local(2030, 5, 2, 23))
        return may_book, [user for user in "6789" if not room.is_closed(day, user)]

    assert look(made, rights) == (["7", "8", "9"], ["8", "9"])
    assert made("room", "users") == "the rooms are for everybody\n"


def shown(run):
    rows = json.loads(run("room", "show", "120", "--json"))
    return {row["what"]: row["value"] for row in rows}


def test_all_that_is_known_of_a_room_is_set_and_taken_away(made):
    made("room", "change", "120", "--name", "Loft", "--building", "31", "--floor", "S")
    made("room", "change", "120", "--number", "023", "--reservable", "no", "--latitude", "46.2")
    made("room", "change", "120", "--responsible", "7", "--manager", "8", "--booker", "9")
    made("room", "change", "120", "--video-system", "Vidyo", "--active", "no")
    expected = {
        "name": "31-S-023 - Loft",
        "reservable": False,
        "active": False,
        "latitude": "46.2",
        "equipment": "Beamer",
        "video systems": "Vidyo",
        "responsible": "7",
        "managers": "8",
        "bookers": "9",
    }
    assert {name: shown(made)[name] for name in expected} == expected
    made("room", "change", "120", "--name", "", "--responsible", "", "--latitude", "")
    made("room", "change", "120", "--equipment", "", "--video-system", "", "--manager", "")
    made("room", "change", "120", "--booker", "", "--active", "yes", "--reservable", "yes")
    expected = {
        "name": "31-S-023",
        "reservable": True,
        "active": True,
        "latitude": None,
        "equipment": "",
        "video systems": "",
        "responsible": None,
        "managers": "",
        "bookers": "everybody",
    }
    assert {name: shown(made)[name] for name in expected} == expected


def test_closures_and_blockings_are_shown_and_taken_back(made):
    weekly = ("120", "2030-12-02T08:00", "2030-12-02T09:00", "--every", "weekly")
    weekly = (*weekly, "--weekday", "mon", "--weekday", "wed", "--last", "2030-12-31")
    made("room", "close", *weekly)
    assert shown(made)["closed"] == (
        "2030-12-02T08:00:00 to 2030-12-02T09:00:00, weekly to 2030-12-31"
    )
    made("room", "block", "120", "2030-05-01", "2030-05-02", "--by", "8", "--for", "9")
    assert shown(made)["kept"] == "2030-05-01 to 2030-05-02 for 8 9"
    made("room", "unblock", "120", "2030-05-01", "2030-05-02")
    made("room", "reopen", *weekly)
    assert not {"closed", "kept"} & set(shown(made))


def test_a_time_with_an_offset_is_put_into_the_zone_of_the_room(made):
    made("room", "close", "120", "2030-12-24T18:00Z", "2030-12-24T20:00+01:00")
    assert shown(made)["closed"] == "2030-12-24T19:00:00 to 2030-12-24T20:00:00"


def states(run):
    rows = json.loads(run("reservation", "list", "--json", "--room", "120"))
    return [(row["id"], row["state"], row["every"], row["start"]) for row in rows]


def test_reservations_are_made_changed_and_given_back(made):
    book = ("room", "book", "120", "2030-12-02T08:00", "2030-12-02T09:00", "--for", "DOE, John")
    book = (*book, "--reason", "talk", "--every")
    assert made(*book, "everyTwoMonths", "--last", "2031-12-31") == (
        "reservation 1 of room 120: confirmed\n"
    )
    told = made(*book, "weekly", "--weekday", "mon", "--last", "2031-01-31", status=1)
    assert "There is a collision with another booking" in told
    made("reservation", "exclude", "1", "2030-12-02")
    made("reservation", "change", "1", "--reason", "other", "--uses-avc", "yes")
    made("reservation", "move", "1", "2030-12-03T08:00", "2030-12-04T09:00")
    made(*book, "weekly", "--weekday", "mon", "--last", "2031-01-31", "--pending")
    assert states(made) == [
        (1, "confirmed", "daily", "2030-12-03T08:00"),
        (2, "pending", "weekly", "2030-12-02T08:00"),
    ]
    made("reservation", "confirm", "2")
    made("reservation", "reject", "2", "no")
    made("reservation", "cancel", "1")
    assert [state for _, state, _, _ in states(made)] == ["cancelled", "rejected"]


def test_a_room_and_a_location_are_deleted_when_nothing_is_in_them(made):
    made("room", "book", "120", "2030-12-02", "2030-12-02", "--for", "DOE", "--reason", "x")
    assert "cancel what is to come" in made("room", "delete", "120", status=1)
    assert "has rooms" in made("location", "delete", "CERN", status=1)
    made("reservation", "cancel", "1")
    assert made("room", "delete", "120") == "room 120 is deleted\n"
    assert json.loads(made("reservation", "list", "--json")) == []
    assert made("location", "change", "CERN", "--timezone", "UTC") == "location CERN, UTC\n"
    assert made("location", "delete", "CERN") == "location CERN is deleted\n"
    assert json.loads(made("location", "list", "--json")) == []


WEEKLY = ("room", "close", "120", "2030-12-02T08:00", "2030-12-02T09:00", "--every", "weekly")
BOOK = ("--for", "DOE", "--reason", "x")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reservation", "cancel", "7"), "there is no reservation 7"),
        (("room", "reopen", "120", "2030-01-01", "2030-01-02"), "is not closed so"),
        (("room", "unblock", "120", "2030-01-01", "2030-01-02"), "is not kept so"),
        (("room", "block", "120", "2030-01-02", "2030-01-01", "--by", "8"), "would end before"),
        (("location", "change", "CERN", "--timezone", "Foo"), "'Foo' is no time zone"),
        (("location", "delete", "X"), "there is no location 'X'"),
        ((*WEEKLY,), "--every needs --last DAY"),
        ((*WEEKLY, "--last", "2030-12-31", "--weekday", "tue"), "on one of its weekdays"),
        ((*WEEKLY[:5], "--last", "2030-12-31"), "add --every"),
        (("room", "book", "120", "2020-01-01", "2020-01-02", *BOOK), "bookings in the past"),
        (("location", "create", "X", "--timezone", "Foo"), "'Foo' is no time zone"),
        (("location", "create", "CERN"), "there is a location CERN already"),
        (("room", "create", "X", "1", *WHERE), "there is no location 'X'"),
        (("room", "create", "CERN", "120", *WHERE), "there is a room 120 already"),
        (("room", "create", "CERN", "x", *WHERE), "a room has a number, not 'x'"),
        (("room", "change", "7"), "there is no room 7"),
        (("room", "close", "120", "x", "2030-01-01"), "x to 2030-01-01: Invalid isoformat"),
        (("room", "close", "120", "2030-01-02", "2030-01-01"), "must end after it starts"),
    ],
)
def test_a_command_that_cannot_be_done_is_told_in_a_line(made, words, told):
    said = made(*words, status=1)
    assert told in said
    assert said.count("\n") == 1
