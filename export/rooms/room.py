"""Rooms: what they are, who may have them, and what they are taken for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, ClassVar

from persistent import Persistent

from export.errors import RoomNotFree
from export.fossilize import Fossilizable
from export.model.booking_slots import Slots
from export.model.event_index import DateIndex, Key, key_of
from export.model.listeners import announce
from export.people.group import Principal, is_among
from export.rooms.collisions import (
    INACTIVE,
    is_blocked,
    is_unavailable,
    refuse_collision,
)
from export.rooms.reservation import Reservation, ReservationCERN

VIDEO_EQUIPMENT = "Video conference"


@dataclass(frozen=True)
class Blocking:
    """Days on which a room is kept for some people, whoever makes it being one of them."""

    start: date
    end: date
    created_by: str
    allowed: frozenset[Principal] = frozenset()
    reason: str = ""

    def stops(self, user: str | None, slots: Slots) -> bool:
        """Say whether *user* cannot have the room because of it."""
        is_meant = user != self.created_by and not is_among(user, self.allowed)
        return is_meant and any(slots.days(self.start, self.end))


class Diary(Persistent):
    """The bookings and closures of a room.

    Taking the room writes this object itself: of two transactions that do so at once the
    later conflicts, is done again, and then sees the earlier one. So nothing is taken twice.
    """

    def __init__(self) -> None:
        self.by_date = DateIndex()
        self.blockings: tuple[Blocking, ...] = ()
        self.unavailable: tuple[Slots, ...] = ()
        self._taken = 0

    def hold(self) -> None:
        """Make every other taking of now conflict with this one."""
        self._taken += 1


class Room(Persistent, Fossilizable):
    """A room; its id is unique in the database. Two transactions that change it conflict."""

    RESERVATION: ClassVar[type[Reservation]] = Reservation
    latitude: str | None = None
    longitude: str | None = None
    equipment: tuple[str, ...] = ()
    video_systems: tuple[str, ...] = ()
    is_active = True
    is_reservable = True
    needs_confirmation = False
    """Whether bookings have to be confirmed, so that only administrators book directly."""
    responsible: str | None = None
    managers: frozenset[Principal] = frozenset()
    booking_list: frozenset[Principal] | None = None
    """Users and groups that may book it; None for everybody."""

    def __init__(
        self,
        id: int,
        location: Any,
        building: int,
        floor: str,
        number: str,
        name: str = "",
    ) -> None:
        self.id = id
        self.location = location
        self.building = building
        self.floor = floor
        self.number = number
        self._name = name
        self.diary = Diary()

    def getId(self) -> int:
        """Return the id."""
        return self.id

    def getUniqueId(self) -> str:
        """Return the id among all that is followed, as `room-12`."""
        return f"room-{self.id}"

    def getName(self) -> str:
        """Return the name; building, floor and number where it has none."""
        return self._name or self._address

    def getFullName(self) -> str:
        """Return building, floor and number, and the name."""
        return f"{self._address} - {self._name}" if self._name else self._address

    getTitle = getFullName

    def getURL(self) -> str:
        """Return the path of the page where it can be booked."""
        return f"/rooms/book/confirm?roomLocation={self.location.name}&roomID={self.id}"

    def has_video_equipment(self) -> bool:
        """Say whether its equipment is good for video conferences."""
        return any(VIDEO_EQUIPMENT in item for item in self.equipment)

    def update(self, **values: Any) -> None:
        """Set attributes, and announce that once if anything is different."""
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            announce("infoChanged", self)

    def block(self, blocking: Blocking) -> None:
        """Keep the room for some people on some days."""
        self.diary.blockings += (blocking,)
        announce("infoChanged", self)

    def unblock(self, blocking: Blocking) -> None:
        """Take no notice of *blocking* any more: it was rejected, or is over."""
        self.diary.blockings = tuple(one for one in self.diary.blockings if one != blocking)
        announce("infoChanged", self)

    def close_for(self, slots: Slots) -> None:
        """Close the room for bookings at *slots*."""
        self.diary.unavailable += (slots,)
        announce("infoChanged", self)

    def reopen_for(self, slots: Slots) -> None:
        """Open the room for bookings at *slots* again; they equal those it was closed for."""
        self.diary.unavailable = tuple(one for one in self.diary.unavailable if one != slots)
        announce("infoChanged", self)

    def may_be_booked_by(self, user: str) -> bool:
        """Say whether *user* may book the room directly (administrators may book any)."""
        registry = self.location.registry
        if registry.is_manager(user):
            return True
        if not registry.may_use(user) or not self.is_active:
            return False
        if self.is_kept_by(user):
            return True
        listed = self.booking_list is None or is_among(user, self.booking_list)
        return self.is_reservable and not self.needs_confirmation and listed

    def is_kept_by(self, user: str) -> bool:
        """Say whether *user* looks after the room: is responsible, or one of its managers."""
        return user == self.responsible or is_among(user, self.managers)

    def book(
        self, slots: Slots, user: str | None, reason: str, booked_for: str, **more: Any
    ) -> Reservation:
        """Take the room for *slots*. Raises RoomNotFree, naming what is in the way.

        *more* is what a Reservation takes beside; one that is not confirmed takes nothing yet.
        """
        if not self.is_active:
            raise RoomNotFree(INACTIVE)
        if more.get("confirmed", True):
            self.hold(slots, user)
        return self.note(slots, user, reason, booked_for, **more)

    def note(
        self, slots: Slots, user: str | None, reason: str, booked_for: str, **more: Any
    ) -> Reservation:
        """Take the room for *slots*, of which nobody asks whether they are free."""
        registry = self.location.registry
        reservation = self.RESERVATION(
            registry.next_reservation_id(), self, slots, reason, booked_for, created_by=user, **more
        )
        registry.reservations[reservation.id] = reservation
        self._enter(reservation)
        announce("created", reservation, self)
        return reservation

    def move(self, reservation: Reservation, slots: Slots) -> None:
        """Give *reservation* other *slots*. Raises RoomNotFree if one of them is taken."""
        if reservation.takes_room:
            self.hold(slots, reservation.created_by, reservation)
        self.put(reservation, slots)

    def put(self, reservation: Reservation, slots: Slots) -> None:
        """Give *reservation* other *slots*, of which nobody asks whether they are free."""
        self._leave(reservation)
        reservation.slots = slots
        self._enter(reservation)
        reservation.changed()

    def hold(self, slots: Slots, user: str | None, but: Reservation | None = None) -> None:
        """See to it that *user* can have the room, and nobody else at the same time.

        Raises RoomNotFree, naming what is in the way; *but* is not.
        """
        refuse_collision(self, slots, user, but)
        self.diary.hold()

    def is_closed(self, slots: Slots, user: str | None) -> bool:
        """Say whether *user* cannot have the room, whoever has booked it."""
        return is_unavailable(self, slots) or is_blocked(self, slots, user)

    def reservations(self, slots: Slots | None = None) -> Iterator[Reservation]:
        """Yield the reservations, in whatever state, that overlap *slots*; all without any."""
        found: Iterator[Reservation] = self.location.among(self.diary.by_date, slots)
        return found

    def forget(self, reservation: Reservation) -> None:
        """Keep *reservation* no more."""
        announce("deleted", reservation, self)
        self._leave(reservation)

    def _leave(self, reservation: Reservation) -> None:
        for calendar in (self.diary.by_date, self.location.by_date):
            calendar.remove(_key(reservation))

    def _enter(self, reservation: Reservation) -> None:
        for calendar in (self.diary.by_date, self.location.by_date):
            calendar.add(_key(reservation))

    @property
    def _address(self) -> str:
        return f"{self.building}-{self.floor}-{self.number}"


class RoomCERN(Room):
    """A room as CERN has them."""

    RESERVATION = ReservationCERN


def _key(reservation: Reservation) -> Key:
    """Return the key by local time, which is compared as if it was UTC."""
    slots = reservation.slots
    start, end = slots.begin.replace(tzinfo=UTC), slots.end.replace(tzinfo=UTC)
    return key_of(start, end, str(reservation.id))
