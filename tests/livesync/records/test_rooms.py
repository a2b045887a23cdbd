"""What targets are told of rooms, reservations and schedules."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ZODB import DB

from export.rooms.registry import Location, rooms
from export.rooms.schedule import schedules
from export.rooms.schedule_request import ScheduleRequest
from livesync.records.document import document
from livesync.records.reduction import STATUS_CREATED
from scheduler import nowutc
from scheduler.store import transact
from tests.export.planting_rooms import local, slots


@pytest.fixture
def told():
    """What a target with the rights of a user is told of a room and what it is taken for."""
    database = DB(None)

    def make(connection):
        registry = rooms(connection)
        room = registry.add_location(Location("Lab")).add_room(39, 1, "1", "39", "Studio")
        room.book(slots(local(2030, 5, 1, 9)), "ann", "Secret talks", "")
        soon = nowutc() + timedelta(hours=1)
        schedules(connection).create(
            "ann", ScheduleRequest("Secret lessons", room, soon, timedelta(hours=1))
        )

    transact(database, make)

    def told(access):
        def look(connection):
            found = rooms(connection)
            objects = (found.rooms[39], found.reservations[1], *schedules(connection))
            return [document((obj, "1", STATUS_CREATED), access) for obj in objects]

        return transact(database, look)

    yield told
    database.close()


def test_the_public_is_told_of_rooms_and_nothing_of_what_they_are_taken_for(told):
    room, *others = told(None)
    assert room["title"] == "1-1-39 - Studio"
    assert [one.get("restricted") for one in others] == [True, True]
    assert "Secret" not in str(others)


def test_agents_that_may_see_reservations_and_schedules_are_told_of_them(told):
    _, reservation, schedule = told("ann")
    assert (reservation["title"], schedule["title"]) == ("Secret talks", "Secret lessons")
    _, reservation, schedule = told("bob")
    assert reservation["title"] == "Secret talks"
    assert schedule["restricted"] is True
