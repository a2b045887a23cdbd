"""The calendar entry: facts of an object that calendars tell beside its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from export.fossils.person import first_name_first
from export.model.conference import CANCELLED, CONFIRMED, TENTATIVE, Conference
from export.model.last_change import last_change
from export.model.video import PENDING

Filters = Mapping[str, Callable[[Any], bool]]


@dataclass(frozen=True)
class Organizer:
    """Somebody who is asked about an entry; the address is known to those who may change it."""

    name: str
    email: str | None = None


@dataclass(frozen=True)
class CalendarEntry:
    """The last change of an object, the zone of its clocks, its status and its organizer."""

    changed: datetime
    zone: tzinfo = UTC
    status: str | None = None
    """`confirmed`, `tentative` or `cancelled`; None where it is not told."""

    organizer: Organizer | None = None


def entry_of_placed(placed: Any, filters: Filters, canModify: bool = False) -> CalendarEntry:  # noqa: N803 (a keyword of fossils)
    """Return the entry of an event, or of a contribution or a slot by the rules of its event."""
    places = tuple(placed.places())
    return _entry(places[-1], places, filters, canModify)


def entry_of_video(booking: Any, filters: Filters) -> CalendarEntry:
    """Return the entry of a video booking: that of its event, tentative while it is pending."""
    event = booking.event
    is_pending = booking.status == PENDING and event.status != CANCELLED
    status = TENTATIVE if is_pending else event.status
    return _entry(event, (*booking.place.places(), event), filters, False, status)


def entry_of_reservation(reservation: Any) -> CalendarEntry:
    """Return the entry of a reservation, whose organizer is the person it is booked for."""
    named = reservation.booked_for.strip()
    is_off = reservation.is_cancelled or reservation.is_rejected
    status = TENTATIVE if reservation.is_pending else CONFIRMED
    return CalendarEntry(
        last_change(reservation),
        reservation.zone,
        CANCELLED if is_off else status,
        Organizer(named) if named else None,
    )


def _entry(
    event: Conference,
    made_from: tuple[Any, ...],
    filters: Filters,
    is_manager: bool,
    status: str | None = None,
) -> CalendarEntry:
    organizer = _organizer(event, is_manager) if filters["access"](event) else None
    zone = ZoneInfo(event.timezone)
    return CalendarEntry(last_change(*made_from), zone, status or event.status, organizer)


def _organizer(event: Conference, is_manager: bool) -> Organizer | None:
    """Return the first chair of *event*, else its organizers as it names them, or its creator."""
    for person in event.chairs:
        return _person(person, is_manager)
    if event.organizer.strip():
        return Organizer(event.organizer.strip())
    return _person(event.creator, is_manager) if event.creator is not None else None


def _person(person: Any, is_manager: bool) -> Organizer:
    email = person.getEmail() if is_manager else None
    return Organizer(first_name_first(person) or person.getFullName(), email)
