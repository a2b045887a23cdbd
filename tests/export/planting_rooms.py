"""The room and the reservation of reference 5.3.8, and some more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from export.auth.api_keys import key_ring
from export.model.booking_slots import Slots
from export.rooms.registry import Location, rooms
from scheduler.store import transact

ROOM = "/export/room/CERN/120.json"
RESERVATIONS = "/export/reservation/CERN.json"
SAMPLE_ID = 93094


def plant_rooms(connection):
    """Mezzanine with the documented reservation."""
    cern = rooms(connection).add_location(Location("CERN", "Europe/Zurich"))
    mezzanine = cern.add_room(120, 500, "1", "201", "Mezzanine")
    mezzanine.update(latitude="46.2314139466", longitude="6.05427049127")
    two_days = slots(local(2011, 6, 24, 8, 30), hours=9, last=date(2011, 6, 25), every="daily")
    rooms(connection).next_reservation_id = lambda: SAMPLE_ID
    made = mezzanine.book(two_days, "ann", "Just testing", "MONNICH, Jerome")
    del rooms(connection).next_reservation_id
    made.uses_avc = made.needs_avc_support = False


def local(*parts):
    """A time as the clocks on the wall show it."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


def slots(begin, hours=1, last=None, every=None):
    return Slots(begin, timedelta(hours=hours), last or begin.date(), every)


def change_room(database, work, number=120):
    """Do *work* with a room in a transaction."""
    return transact(database, lambda connection: work(rooms(connection).rooms[number]))


def change_reservation(database, work, number=SAMPLE_ID):
    return transact(database, lambda connection: work(rooms(connection).reservations[number]))


def key_of(database, user):
    """Return the key of *user*, made if there is none."""

    key = f"key of {user}"

    def work(connection):
        ring = key_ring(connection)
        if ring.of(user) is None:
            ring.create(user, key=key)

    transact(database, work)
    return key
