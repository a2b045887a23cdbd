"""Fossils of rooms and their reservations (reference 5.3.8)."""

from __future__ import annotations

from typing import Any

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.calendar_entry import entry_of_reservation
from export.fossils.placed import in_zone
from export.model.booking_slots import DAILY, MONTHS, WEEKS
from export.people.user import users

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

SLOTS = 366
"""How many slots of a reservation are shown at most; others can be asked for with `from`."""


def booker(reservation: Any) -> str | None:
    """Return the name of the user who made it; None for one who is not known any more."""
    made_by = reservation.created_by
    user = users().find(made_by) if made_by is not None else None
    return user.getName() if user is not None else None


def repetition(reservation: Any) -> tuple[str, int]:
    """Return NEVER, DAY, WEEK or MONTH, and after how many of them it comes back."""
    every = reservation.slots.repeatability
    if every == DAILY:
        return "DAY", 1
    if every in WEEKS:
        return "WEEK", WEEKS[every]
    return ("MONTH", MONTHS[every]) if every in MONTHS else ("NEVER", 0)


def _location(room: Any) -> str:
    return str(room.location.name)


class INaivePeriodFossil(IFossil):
    """A slot of a reservation."""

    taggedValue("fossil", "naivePeriod")

    def startDT(): ...  # noqa: N802

    startDT.convert = in_zone

    def endDT(): ...  # noqa: N802

    endDT.convert = in_zone


class IMinimalRoomFossil(IFossil):
    """A room, inside its reservation."""

    taggedValue("of", "export.rooms.room:Room")
    taggedValue("fossil", "minimalRoomMetadata")

    def getId(): ...
    def getFullName(): ...


class IRoomFossil(IMinimalRoomFossil):
    """A room; detail `rooms`."""

    taggedValue("fossil", "roomMetadata")

    def getName(): ...
    def getLocation(): ...

    getLocation.produce = _location

    def building(): ...
    def floor(): ...
    def number(): ...

    number.name = "roomNr"

    def latitude(): ...
    def longitude(): ...
    def has_video_equipment(): ...

    has_video_equipment.name = "avc"

    def equipment(): ...

    equipment.convert = list

    def video_systems(): ...

    video_systems.name = "vcList"
    video_systems.convert = list

    def getURL(): ...

    getURL.name = "bookingUrl"
    getURL.convert = absolute


class IRoomWithReservationsFossil(IRoomFossil):
    """A room; detail `reservations`, which are put beside what is shown here."""

    taggedValue("fossil", "roomMetadataWithReservations")


class IReservationFields(IFossil):
    """The fields of a reservation in every answer."""

    taggedValue("of", "export.rooms.reservation:Reservation")

    def getId(): ...
    def getStartDate(): ...

    getStartDate.name = "startDT"
    getStartDate.convert = in_zone

    def getEndDate(): ...

    getEndDate.name = "endDT"
    getEndDate.convert = in_zone

    def getRepeatability(): ...

    getRepeatability.produce = lambda reservation: reservation.slots.repeatability

    def recurrence_weekdays(): ...

    recurrence_weekdays.produce = lambda reservation: [
        WEEKDAYS[day] for day in sorted(reservation.slots.weekdays)
    ]
    recurrence_weekdays.name = "recurrence_weekdays"

    def firstEndDT(): ...  # noqa: N802

    firstEndDT.produce = lambda reservation: reservation.slots.first_end.replace(
        tzinfo=reservation.zone
    )
    firstEndDT.name = "firstEndDT"
    firstEndDT.convert = in_zone

    def booked_for(): ...

    booked_for.name = "bookedForName"

    def created_by(): ...

    created_by.name = "bookedByName"
    created_by.produce = booker

    def repeat_frequency(): ...

    repeat_frequency.name = "repeat_frequency"
    repeat_frequency.produce = lambda one: repetition(one)[0]

    def repeat_interval(): ...

    repeat_interval.name = "repeat_interval"
    repeat_interval.produce = lambda one: repetition(one)[1]

    def reason(): ...
    def getModificationDate(): ...
    def getURL(): ...

    getURL.name = "bookingUrl"
    getURL.convert = absolute

    def excludedDays(): ...  # noqa: N802

    excludedDays.produce = lambda reservation: [
        day.isoformat() for day in sorted(reservation.slots.excluded)
    ]
    excludedDays.name = "excludedDays"

    def timezone(): ...

    timezone.name = "timezone"
    timezone.produce = lambda reservation: reservation.zone.key

    def is_confirmed(): ...

    is_confirmed.name = "isConfirmed"

    def is_cancelled(): ...

    is_cancelled.name = "is_cancelled"

    def is_rejected(): ...

    is_rejected.name = "is_rejected"

    def is_pending(): ...

    is_pending.name = "is_pending"

    def takes_room(): ...

    takes_room.name = "isValid"

    def uses_avc(): ...

    uses_avc.name = "usesAVC"

    def needs_avc_support(): ...

    needs_avc_support.name = "needsAVCSupport"

    def video_systems(): ...

    video_systems.name = "vcList"
    video_systems.convert = list

    def calendarEntry(): ...  # noqa: N802

    calendarEntry.name = "calendarEntry"
    calendarEntry.produce = entry_of_reservation
    calendarEntry.onlyIf = "inCalendar"


class IRoomReservationFossil(IReservationFields):
    """A reservation inside its room."""

    taggedValue("fossil", "roomReservationMetadata")


class IReservationFossil(IReservationFields):
    """A reservation by itself; detail `reservations`."""

    taggedValue("fossil", "reservationMetadata")

    def getLocation(): ...

    getLocation.produce = lambda reservation: _location(reservation.room)

    def room(): ...

    room.result = IMinimalRoomFossil
