"""The answers that reference 5.3.8 prints: every key and every value of them is there.

Addresses of pages are those of the release that this project follows.
"""

from __future__ import annotations

import pytest

from scheduler.store import transact
from tests.export.planting import get
from tests.export.planting_rooms import RESERVATIONS, ROOM, key_of, plant_rooms
from tests.export.test_documented_answers import assert_holds, date

DAYS = "from=2011-06-24&to=2011-06-24&tz=Europe/Zurich"
RESERVATION = {
    "endDT": date(25, "17:30:00"),
    "isConfirmed": True,
    "isValid": True,
    "usesAVC": False,
    "repeatability": "daily",
    "_type": "ReservationCERN",
    "vcList": [],
    "reason": "Just testing",
    "bookedForName": "MONNICH, Jerome",
    "needsAVCSupport": False,
    "startDT": date(24, "08:30:00"),
    "id": 93094,
    "bookingUrl": "https://indico.server/rooms/booking/CERN/93094/",
}
MEZZANINE = {
    "building": 500,
    "_type": "RoomCERN",
    "name": "Mezzanine",
    "floor": "1",
    "longitude": "6.05427049127",
    "vcList": [],
    "equipment": [],
    "roomNr": "201",
    "location": "CERN",
    "_fossil": "roomMetadata",
    "latitude": "46.2314139466",
    "fullName": "500-1-201 - Mezzanine",
    "id": 120,
    "bookingUrl": "https://indico.server/rooms/book/confirm?roomLocation=CERN&roomID=120",
    "avc": False,
}


@pytest.fixture
def ask(client, database):
    """Ask as somebody with a key; return the results."""
    transact(database, plant_rooms)
    key = key_of(database, "ann")
    return lambda address: get(client, f"{address}{'&' if '?' in address else '?'}ak={key}")


def test_a_room_is_shown_as_documented(ask):
    (room,) = ask(ROOM)
    assert_holds(room, MEZZANINE)
    assert room.keys() == MEZZANINE.keys()


def test_a_room_with_its_reservations_is_shown_as_documented(ask):
    inside = {**RESERVATION, "_fossil": "roomReservationMetadata"}
    documented = {
        **MEZZANINE,
        "_fossil": "roomMetadataWithReservations",
        "reservations": [inside],
    }
    (room,) = ask(f"{ROOM}?detail=reservations&{DAYS}")
    assert_holds(room, documented)
    assert not {"room", "location"} & room["reservations"][0].keys()


def test_reservations_of_a_location_are_shown_as_documented(ask):
    documented = {
        **RESERVATION,
        "_fossil": "reservationMetadata",
        "location": "CERN",
        "room": {
            "_fossil": "minimalRoomMetadata",
            "_type": "RoomCERN",
            "fullName": "500-1-201 - Mezzanine",
            "id": 120,
        },
    }
    shown = ask(f"{RESERVATIONS}?detail=reservations&{DAYS}&bookedfor=*MONNICH*&pretty=yes")
    assert_holds(shown, [documented])
    assert shown[0]["room"] == documented["room"]


def test_a_room_found_by_its_name_is_shown_as_documented(ask, client):
    documented = [MEZZANINE]
    assert_holds(ask("/export/roomName/CERN/Mezzanine.json"), documented)
    assert_holds(get(client, "/export/roomName/CERN/mezza.json"), documented)


def test_the_envelope_is_the_documented_one(client, ask):
    answer = client.get("/export/roomName/CERN/Mezzanine.json?pretty=yes").json
    assert answer["count"] == 1
    assert answer["_type"] == "HTTPAPIResult"
    assert answer["complete"] is True
    assert answer["url"] == "https://indico.server/export/roomName/CERN/Mezzanine.json?pretty=yes"
    assert type(answer["ts"]) is int
