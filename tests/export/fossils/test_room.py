"""Rooms that are taken for an event, as its slots show them."""

from __future__ import annotations

from datetime import date

import pytest

from export.errors import RoomNotFree
from export.model.conference import SupportInfo
from export.rooms.collisions import COLLISION
from export.rooms.registry import rooms
from scheduler.store import transact
from tests.export.planting import change, get
from tests.export.planting_rooms import local, plant_rooms, slots

SESSION = "/export/event/137346/session/0.json?tz=Europe/Zurich"


def test_a_slot_shows_the_rooms_that_are_booked_for_its_event_and_whom_to_ask(planted, database):
    transact(database, plant_rooms)

    def book(event):
        room = rooms().rooms[120]
        two_days = slots(local(2011, 6, 27, 9), last=date(2011, 6, 28), every="daily")
        event.book_room(room, two_days, "ann", "BYRON, Ada")
        given_back = event.book_room(room, slots(local(2011, 6, 29, 9)), "ann", "BYRON, Ada")
        given_back.cancel()
        with pytest.raises(RoomNotFree, match=COLLISION):
            event.book_room(room, slots(local(2011, 6, 27, 9)), "ann", "BYRON, Ada")
        event.update(support=SupportInfo("Help", "help@example.org", "+41"))

    change(database, book)
    (slot,) = get(planted, SESSION)
    (times,) = slot["conference"]["bookedRooms"].values()
    assert slot["conference"]["bookedRooms"].keys() == {"500-1-201 - Mezzanine"}
    assert [one["startDateTime"]["date"] for one in times] == ["2011-06-27", "2011-06-28"]
    assert times[0]["endDateTime"] == {
        "date": "2011-06-27",
        "time": "10:00:00",
        "tz": "Europe/Zurich",
    }
    assert slot["conference"]["supportInfo"] == {
        "_type": "SupportInfo",
        "_fossil": "supportInfo",
        "caption": "Help",
        "email": "help@example.org",
        "telephone": "+41",
    }


def test_an_event_without_rooms_has_none(planted):
    (slot,) = get(planted, SESSION)
    assert slot["conference"]["bookedRooms"] == {}
    assert slot["conference"]["supportInfo"]["caption"] == "Support"
