"""Fossils of video bookings (reference 5.3.9)."""

from __future__ import annotations

from datetime import datetime

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.calendar_entry import entry_of_video

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def in_words(moment: datetime | None) -> str:
    """Return *moment* for people to read."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else ""


def for_whom(audience: str | None) -> str | None:
    """Return *audience* in words; None where nobody was asked."""
    return "No restriction" if audience == "" else audience


class ICollaborationFossil(IFossil):
    """A booking, or an instance of one; the dates are in UTC."""

    taggedValue("of", "export.model.video:CSBooking")
    taggedValue("fossil", "collaborationMetadata")

    def getId(): ...

    getId.name = "uniqueId"

    def type(): ...
    def status(): ...
    def getTitle(): ...
    def getStartDate(): ...
    def getEndDate(): ...
    def getStartDateAsString(): ...

    getStartDateAsString.produce = lambda booking: in_words(booking.getStartDate())

    def event(): ...

    event.name = "event_id"
    event.produce = lambda booking: booking.event.getId()

    def getLocation(): ...

    getLocation.produce = lambda booking: booking.place.getLocation() or ""

    def getRoom(): ...

    getRoom.produce = lambda booking: booking.place.getRoom() or ""

    def getURL(): ...

    getURL.name = "url"
    getURL.produce = lambda booking: booking.event.getURL()
    getURL.convert = absolute

    def calendarEntry(): ...  # noqa: N802

    calendarEntry.name = "calendarEntry"
    calendarEntry.produce = lambda booking: booking
    calendarEntry.convert = entry_of_video
    calendarEntry.onlyIf = "inCalendar"

    def audience(): ...

    audience.convert = for_whom
