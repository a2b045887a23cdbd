"""VEVENT: one entry of a calendar, its reminder, and the zones that its times are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Event, Timezone
from icalendar.prop import vCalAddress, vText

from export.formats.vtimezone import FIRST_YEAR, LAST_YEAR, timezone_component
from export.formats.xml_text import printable
from export.fossils.calendar_entry import CalendarEntry, Organizer
from export.model.conference import CANCELLED
from export.model.local_time import in_utc, in_zone

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""The moment from which versions count seconds, so that their number has 31 bits."""

NO_ADDRESS = "invalid:nomail"
"""The address of somebody who has none that may be entry, as other calendars write it."""


def made(period: tuple[datetime, datetime | None], entry: CalendarEntry, **texts: str) -> Event:
    """Return the entry of what takes place in *period*, by the clocks of its own zone.

    It is stamped with its last change, which is its version, too: a later one replaces it.
    """
    start, end = period
    event = Event()
    changed = in_utc(entry.changed).replace(microsecond=0)
    for name in ("dtstamp", "last-modified"):
        event.add(name, changed)
    event.add("sequence", max(0, (changed - EPOCH) // timedelta(seconds=1)))
    event.add("dtstart", local(start, entry.zone))
    if end is not None:
        event.add("dtend", local(end, entry.zone))
    for name, text in texts.items():
        if text or name == "summary":  # some programs take a line without a value for a mistake
            event.add(name, _one_line_end(text))
    if entry.status is not None:
        event.add("status", entry.status.upper())
    if entry.organizer is not None:
        event.add("organizer", _address(entry.organizer))
    return event


def local(moment: datetime, zone: tzinfo) -> datetime:
    """Return *moment* by the clocks of *zone*, or in UTC where nobody knows how they go."""
    shown = in_zone(moment, zone)
    if isinstance(zone, ZoneInfo) and zone.key != "UTC" and FIRST_YEAR < shown.year < LAST_YEAR:
        return shown
    return in_utc(moment)


def remind(event: Event, minutes: int) -> None:
    """Add an alarm *minutes* before the beginning of *event*, unless it does not take place."""
    if str(event.get("status")) == CANCELLED.upper():
        return
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -timedelta(minutes=minutes))
    alarm.add("summary", event["summary"])
    alarm.add("description", event["url"])
    event.add_component(alarm)


def zones_of(events: Iterable[Event]) -> Iterator[Timezone]:
    """Yield the zones of *events*, each for all years in which it has times."""
    for key, found in sorted(years_by_zone(events).items()):
        yield timezone_component(key, min(found), max(found))


def years_by_zone(events: Iterable[Event]) -> dict[str, set[int]]:
    """Return the years in which *events* have times, by the names of their zones."""
    years: dict[str, set[int]] = {}
    for event in events:
        for moment in _moments(event):
            if isinstance(moment.tzinfo, ZoneInfo):
                years.setdefault(moment.tzinfo.key, set()).add(moment.year)
    return years


def _moments(event: Event) -> Iterator[datetime]:
    start: datetime = event.decoded("dtstart")
    yield start
    if "dtend" in event:
        yield event.decoded("dtend")
    rule: Any = event.get("rrule", {})
    if "until" in rule:
        yield in_zone(rule["until"], start.tzinfo or UTC)


def _address(organizer: Organizer) -> Any:
    has_address = organizer.email is not None and organizer.email.isprintable()
    address: Any = vCalAddress(f"mailto:{organizer.email}" if has_address else NO_ADDRESS)
    address.params["CN"] = vText(" ".join(_one_line_end(organizer.name).replace('"', "'").split()))
    return address


def _one_line_end(text: str) -> str:
    return printable(text).replace("\r\n", "\n").replace("\r", "\n")
