"""Booking a room: `POST /api/roomBooking/bookRoom` (reference 5.3.8)."""

from __future__ import annotations

import re

from export.errors import (
    MalformedRequest,
    NotFree,
    RefusedRequest,
    RoomNotFree,
    UnknownResource,
)
from export.http.request import ExportRequest, Selection, select
from export.http.result import ResultPage
from export.model.booking_slots import Slots
from export.model.local_time import in_zone
from export.people.user import Avatar, users
from export.resources.reservation import admitted
from export.rooms.registry import Registry
from export.rooms.room import Room
from export.settings import ExportSettings
from scheduler.clock import nowutc

PATTERN = re.compile(r"/api/roomBooking/bookRoom\.(?P<format>\w+)", re.ASCII)
FORMATS = ("json", "xml")
ROOM_ID = ("room", "roomid")
"""Names of the room's parameter: in the documented example, and in its description."""
NEEDED = (("location",), ROOM_ID, ("reason",), ("username",))
EDGES = {"from": "start", "to": "end"}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Book a room for somebody; return the number of the reservation.

    Raises RequestException: NotFree where the room is taken, blocked or unavailable,
    RefusedRequest where *user* may not book it.
    """
    registry = admitted(user)
    selection = select(request, {}, None, settings.zone)
    missing = [names[-1] for names in NEEDED if not request.take(*names)]
    missing += [name for name in ("from", "to") if getattr(selection, EDGES[name]) is None]
    if missing:
        raise MalformedRequest(f"Argument(s) missing: {', '.join(missing)}")
    room = _room(request, registry)
    booked_for = users().find_by_login(request.take("username") or "")
    if booked_for is None:
        raise UnknownResource("Username does not exist.")
    slots = _slots(selection, room)
    check_rights(room, str(user))
    return ResultPage({"reservationID": _book(request, room, slots, str(user), booked_for)})


def _room(request: ExportRequest, registry: Registry) -> Room:
    location = registry.locations.get(request.take("location"))
    room: Room | None = location and location.rooms.get(request.take_integer(*ROOM_ID))
    if room is None:
        raise UnknownResource("A room with this ID does not exist")
    return room


def _slots(selection: Selection, room: Room) -> Slots:
    zone = room.location.zone
    try:
        start, end = (
            moment.astimezone(zone).replace(tzinfo=None)
            for moment in (selection.start, selection.end)
            if moment is not None
        )
    except OverflowError:
        raise MalformedRequest("from and to are too far away") from None
    if end <= start or end.time() <= start.time():
        raise MalformedRequest("to must be after from, on the last day as on the first")
    try:
        slots = Slots.spanning(start, end)
    except ValueError as error:
        raise MalformedRequest(str(error)) from None
    if slots.first_end <= in_zone(nowutc(), zone).replace(tzinfo=None):
        raise MalformedRequest("You cannot make bookings in the past")
    return slots


def check_rights(room: Room, user: str) -> None:
    """Raise RefusedRequest where *user* may not book *room*, or only ask for it."""
    if room.needs_confirmation and not room.location.registry.is_admin(user):
        raise RefusedRequest(
            "This room does not accept direct bookings "
            "and it is not possible to pre-book rooms through the API."
        )
    if not room.may_be_booked_by(user):
        raise RefusedRequest("Access to this resource is restricted.")


def _book(request: ExportRequest, room: Room, slots: Slots, user: str, booked_for: Avatar) -> int:
    try:
        made = room.book(
            slots,
            user,
            request.take("reason") or "",
            booked_for.getFullName(),
            contact_email=booked_for.email,
            contact_phone=booked_for.phone,
        )
    except RoomNotFree as error:
        raise NotFree(str(error)) from None
    return made.id
