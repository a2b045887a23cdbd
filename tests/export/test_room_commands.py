"""Locations and rooms from the command line."""

from __future__ import annotations

import json

import pytest

from export.rooms.registry import rooms
from export.rooms.room import UNAVAILABLE
from scheduler.store import open_database, transact
from tests.export.planting_rooms import local, slots
from tests.export.test_commands import run

__all__ = ["run"]

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


def test_who_may_have_rooms_is_set(made):
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


@pytest.mark.parametrize(
    ("words", "told"),
    [
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
def test_what_cannot_be_done_is_told_in_a_line(made, words, told):
    said = made(*words, status=1)
    assert told in said
    assert said.count("\n") == 1
