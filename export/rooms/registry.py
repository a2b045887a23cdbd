"""Locations with their rooms, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from zoneinfo import ZoneInfo

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from export.model.booking_slots import Slots
from export.model.catalogue import catalogue
from export.model.event_index import DateIndex
from export.model.listeners import announce
from export.people.group import Principal, is_among
from export.rooms.reservation import Reservation
from export.rooms.room import Room, RoomCERN
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of

ROOMS: dict[str, type[Room]] = {"CERN": RoomCERN}
"""Locations whose rooms are of a kind of their own."""


class Location(Persistent):
    """A place with rooms, which go by its clocks. Adding different rooms merges."""

    def __init__(self, name: str, timezone: str = "UTC") -> None:
        self.name = name
        self.timezone = ZoneInfo(timezone).key
        self.rooms = OOBTree()
        self.by_date = DateIndex()
        self.registry: Registry

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its clocks."""
        return ZoneInfo(self.timezone)

    def add_room(self, id: int, building: int, floor: str, number: str, name: str = "") -> Room:
        """Make a room. Raises CatalogueException where its id is taken."""
        if id in self.registry.rooms:
            raise CatalogueException(f"there is a room {id} already")
        room = ROOMS.get(self.name, Room)(id, self, building, floor, number, name)
        self.rooms[id] = self.registry.rooms[id] = room
        announce("created", room, None)
        return room

    def remove_room(self, room: Room) -> None:
        """Forget *room* and what it was taken for.

        Raises CatalogueException while it is taken for something that is not over.
        """
        held = [one for one in room.reservations() if one.takes_room or one.is_pending]
        ahead = next((one for one in held if one.getEndDate() > nowutc()), None)
        if ahead is not None:
            raise CatalogueException(
                f"room {room.id} has reservation {ahead.id}: cancel what is to come, "
                "or let the room be inactive"
            )
        for reservation in list(room.reservations()):
            room.forget(reservation)
            del self.registry.reservations[reservation.id]
        announce("deleted", room, None)
        del self.rooms[room.id]
        del self.registry.rooms[room.id]

    def find_rooms(self, name: str) -> Iterator[Room]:
        """Yield the rooms whose full name has *name* in it, whatever the case, by their ids."""
        wanted = name.casefold()
        return (room for room in self.rooms.values() if wanted in room.getFullName().casefold())

    def reservations(self, slots: Slots | None = None) -> Iterator[Reservation]:
        """Yield the reservations of all rooms that overlap *slots*, by start; all without any."""
        return self.among(self.by_date, slots)

    def among(self, calendar: DateIndex, slots: Slots | None) -> Iterator[Reservation]:
        """Yield those that *calendar* has, by local time, and that overlap *slots*."""
        start = slots.begin.replace(tzinfo=UTC) if slots is not None else None
        end = slots.end.replace(tzinfo=UTC) if slots is not None else None
        for number in calendar.ids(start, end):
            reservation = self.registry.reservations[int(number)]
            if slots is None or reservation.slots.overlaps(slots):
                yield reservation


class Registry(Persistent):
    """All locations, rooms and reservations, and who may use them.

    Making reservations conflicts with making others at the same time; the later one is done
    again.
    """

    users: frozenset[Principal] = frozenset()
    """Users and groups that may use the rooms; empty for every known user."""
    managers: frozenset[Principal] = frozenset()
    """Users and groups that may book every room."""

    def __init__(self) -> None:
        self.locations = OOBTree()
        self.rooms = OOBTree()
        self.reservations = OOBTree()

    def add_location(self, location: Location) -> Location:
        """Take *location* in. Raises CatalogueException where its name is taken."""
        if location.name in self.locations:
            raise CatalogueException(f"there is a location {location.name} already")
        location.registry = self
        self.locations[location.name] = location
        return location

    def remove_location(self, location: Location) -> None:
        """Forget *location*. Raises CatalogueException while it has rooms."""
        if location.rooms:
            raise CatalogueException(f"location {location.name} has rooms: delete them first")
        del self.locations[location.name]

    def next_reservation_id(self) -> int:
        """Return the number after the highest that was given."""
        highest: int = self.reservations.maxKey() if self.reservations else 0
        return highest + 1

    def may_use(self, user: str | None) -> bool:
        """Say whether *user* may look at bookings and make some."""
        return not self.users or (
            user is not None and (is_among(user, self.users) or self.is_manager(user))
        )

    def is_manager(self, user: str) -> bool:
        """Say whether *user* may book every room."""
        return is_among(user, self.managers) or self.is_admin(user)

    def is_admin(self, user: str) -> bool:
        """Say whether *user* may change everything."""
        return catalogue(self).root.canModify(user)


SCHEMA = Schema("rooms", 1, Registry)


def rooms(connection: Connection | Persistent | None = None) -> Registry:
    """Return the rooms of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
