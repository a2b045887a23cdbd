"""Collisions: no room is booked twice at a time, or while it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.errors import RoomNotFree
from export.model.booking_slots import Slots
from export.rooms.reservation import Reservation

if TYPE_CHECKING:
    from export.rooms.room import Room

UNAVAILABLE = (
    "Failed to create the booking. "
    "You cannot book this room because it is unavailable during this time period."
)
BLOCKED = (
    "Failed to create the booking. "
    "You cannot book this room because it is blocked during this time period."
)
INACTIVE = "Failed to create the booking. The room is not in use: nobody can book it."
COLLISION = "Failed to create the booking. There is a collision with another booking."


def refuse_collision(
    room: Room, slots: Slots, user: str | None, but: Reservation | None = None
) -> None:
    """Raise RoomNotFree, naming what is in the way, where *user* cannot have *room*; *but* is not.

    Two bookings at once both find the room free: taking it makes the later one conflict.
    """
    if not room.is_active:
        raise RoomNotFree(INACTIVE)
    if is_unavailable(room, slots):
        raise RoomNotFree(UNAVAILABLE)
    if is_blocked(room, slots, user):
        raise RoomNotFree(BLOCKED)
    if any(one is not but and one.takes_room for one in room.reservations(slots)):
        raise RoomNotFree(COLLISION)


def is_unavailable(room: Room, slots: Slots) -> bool:
    """Say whether *room* is closed for some of *slots*."""
    return any(closed.overlaps(slots) for closed in room.diary.unavailable)


def is_blocked(room: Room, slots: Slots, user: str | None) -> bool:
    """Say whether *room* is kept from *user* for some of *slots*."""
    if user is not None and room.location.registry.is_admin(user):
        return False
    return any(blocking.stops(user, slots) for blocking in room.diary.blockings)
