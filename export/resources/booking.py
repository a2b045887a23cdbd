"""Booking a room: `POST /api/roomBooking/bookRoom` (reference 5.3.8)."""

from __future__ import annotations

from dataclasses import replace

from export.errors import (
    MalformedRequest,
    NotFree,
    RefusedRequest,
    RoomNotFree,
    UnknownResource,
)
from export.http.parameter import Integer, Parameter
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import FROM, TO, Selection
from export.model.booking_slots import Slots
from export.model.local_time import in_zone
from export.people.user import Avatar, users
from export.resource import WRITE, Resource
from export.resources.reservation import admitted
from export.rooms.registry import Registry
from export.rooms.room import Room
from scheduler.clock import nowutc

FORMATS = ("json", "xml")
LOCATION = Parameter("location", "The location of the room.", is_needed=True)
ROOM_ID = Integer("roomid", "The id of the room.", ("room",), is_needed=True, least=1)
"""The room; by its name in the documented example, and by that of its description."""
REASON = Parameter("reason", "The reason of the booking.", is_needed=True)
USERNAME = Parameter("username", "The login of the user who gets the room.", is_needed=True)
NEEDED = (LOCATION, ROOM_ID, REASON, USERNAME)
EDGES = {"from": "start", "to": "end"}


def answer(question: Question) -> ResultPage:
    """Book a room for somebody; return the number of the reservation."""
    request, user = question.request, question.user
    registry = admitted(user)
    selection = question.selection
    missing = [each.name for each in NEEDED if not request.take(*each.names)]
    missing += [name for name in ("from", "to") if getattr(selection, EDGES[name]) is None]
    if missing:
        raise MalformedRequest(f"Argument(s) missing: {', '.join(missing)}")
    room = _room(request, registry)
    booked_for = users().find_by_login(USERNAME.of(request) or "")
    if booked_for is None:
        raise UnknownResource("Username does not exist.")
    slots = _slots(selection, room)
    check_rights(room, str(user))
    return ResultPage({"reservationID": _book(request, room, slots, str(user), booked_for)})


def _room(request: ExportRequest, registry: Registry) -> Room:
    location = registry.locations.get(LOCATION.of(request))
    room: Room | None = location and location.rooms.get(request.take_integer(*ROOM_ID.names))
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
            REASON.of(request) or "",
            booked_for.getFullName(),
            contact_email=booked_for.email,
            contact_phone=booked_for.phone,
        )
    except RoomNotFree as error:
        raise NotFree(str(error)) from None
    return made.id


RESOURCE = Resource(
    "room_booking",
    ("/api/roomBooking/bookRoom.<word:format>",),
    answer,
    WRITE,
    FORMATS,
    "POST",
    parameters=(*NEEDED, replace(FROM, is_needed=True), replace(TO, is_needed=True)),
)
