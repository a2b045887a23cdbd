"""From iCalendar: every VEVENT is an event. What its lines mean, the icalendar library says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from export.errors import ImportRefused
from export.imports.draft import Draft, Item
from export.imports.feed import Block, read_feed
from export.model.access import Protection
from export.model.conference import Conference
from export.model.person import ConferenceChair

TIMES = {"DTSTART", "DTEND", "DURATION"}
UID = re.compile(r"indico-event-(\w+)@.*|(\w+)", re.ASCII)
RECURRENCE = "another time of an event that recurs; only the first one is taken"


def items(content: bytes) -> Iterator[Item]:
    """Return every event of the calendar *content*, and what is wrong outside of them."""
    feed = read_feed(content)
    zone = _zone(feed.own.value("X-WR-TIMEZONE"))
    for number, reason in feed.problems:
        yield _refused(number, reason)
    by_uid: dict[str, list[Block]] = {}
    for block in feed.events:
        uid = block.value("UID")
        if not uid or block.value("RECURRENCE-ID"):
            yield _refused(block.number, "the event has no UID" if not uid else RECURRENCE)
        else:
            by_uid.setdefault(uid, []).append(block)
    for uid, blocks in by_uid.items():
        yield from _events(uid, blocks, feed.zones, zone)


def _events(uid: str, blocks: list[Block], zones: list[Block], zone: ZoneInfo) -> Iterator[Item]:
    """Return the events that share *uid*; where they are several, each has an id of its own."""
    if len(blocks) == 1:
        yield Item(f"line {blocks[0].number}", partial(_draft, blocks[0], zones, zone, _id(uid)))
        return
    shared = f"the UID {uid} is that of {len(blocks)} events"
    seen: dict[str, int] = {}
    for block in blocks:
        own_id = _digest("\n".join((uid, block.value("DTSTART"), block.value("SUMMARY"))))
        if own_id in seen:
            yield _refused(block.number, f"the event is that of line {seen[own_id]} again")
            continue
        seen[own_id] = block.number
        where = f"line {block.number}"
        yield Item(where, partial(_draft, block, zones, zone, own_id, shared))


def _refused(number: int, reason: str) -> Item:
    def make() -> Draft:
        raise ImportRefused(f"line {number}: {reason}")

    return Item(f"line {number}", make)


def _draft(
    block: Block, zones: list[Block], zone: ZoneInfo, event_id: str, shared: str | None = None
) -> Draft:
    where = f"line {block.number}"
    used = [one for one in zones if block.names_zone(one.value("TZID"))]
    event = _parsed([*used, block], where)
    told = [f"{where}: {name} cannot be read: {reason}" for name, reason in event.errors]
    if not TIMES.isdisjoint(name for name, _ in event.errors):
        raise ImportRefused(told[0])
    for name, _ in event.errors:
        event.pop(name, None)
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        raise ImportRefused(f"{where}: the event is cancelled")
    title = " ".join(_text(event, "SUMMARY").split())
    if not title:
        raise ImportRefused(f"{where}: the event has no SUMMARY")
    made = Conference(event_id, title, _text(event, "DESCRIPTION").strip())
    made.type = "simple_event"
    made.timezone = zone.key
    made._start, made._end = _dates(event, zone, where)
    made.location = _text(event, "LOCATION").strip() or None
    made.url = _text(event, "URL").strip() or None
    made.chairs = tuple(_organizers(event))
    made.keywords = tuple(_categories(event))
    if str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC":
        made._protection = Protection.RESTRICTED
    if shared is not None:
        told.append(f"{where}: {shared}; this one goes in with the id {event_id}")
    if "RRULE" in event or "RDATE" in event:
        told.append(f"{where}: the event recurs; only the first time is taken")
    return Draft(made, problems=told)


def _parsed(blocks: list[Block], where: str) -> Any:
    lines = ["BEGIN:VCALENDAR"]
    for block in blocks:
        lines += [f"BEGIN:{block.name}", *(line for _, line in block.lines), f"END:{block.name}"]
    try:
        calendar = Calendar.from_ical("\r\n".join([*lines, "END:VCALENDAR", ""]))
        return calendar.walk("VEVENT")[0]
    except ValueError as error:
        raise ImportRefused(f"{where}: {error}") from None


def _first(event: Any, name: str) -> Any:
    """Return a property; of one that is there several times, the first; None for none."""
    value = event.get(name)
    return value[0] if isinstance(value, list) else value


def _text(event: Any, name: str) -> str:
    value = _first(event, name)
    return str(value) if value is not None else ""


def _id(uid: str) -> str:
    """Return an id that an address can have: the one in *uid*, or one made of it."""
    found = UID.fullmatch(uid)
    return (found[1] or found[2]) if found else _digest(uid)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dates(event: Any, zone: ZoneInfo, where: str) -> tuple[datetime, datetime]:
    begins, ends, lasts = (_first(event, name) for name in ("DTSTART", "DTEND", "DURATION"))
    if begins is None:
        raise ImportRefused(f"{where}: the event has no DTSTART")
    is_day = not isinstance(begins.dt, datetime)
    start = end = _moment(begins, "DTSTART", zone, where)
    if ends is not None:
        end = _moment(ends, "DTEND", zone, where)
    elif lasts is not None and isinstance(lasts.dt, timedelta):
        end = start + lasts.dt
    elif is_day:
        end = start + timedelta(days=1)
    if is_day and end > start:
        end -= timedelta(minutes=1)
    if end < start:
        raise ImportRefused(f"{where}: the event ends ({end}) before it starts ({start})")
    return start, end


def _moment(value: Any, name: str, zone: ZoneInfo, where: str) -> datetime:
    moment = value.dt
    try:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(0), zone)
        elif moment.tzinfo is None and "TZID" in value.params:
            raise ImportRefused(f"{where}: {name} is in an unknown zone")
        elif moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (TypeError, OverflowError, ValueError):
        raise ImportRefused(f"{where}: {name} is no date that can be used") from None


def _organizers(event: Any) -> Iterator[ConferenceChair]:
    value = event.get("ORGANIZER", [])
    for number, one in enumerate(value if isinstance(value, list) else [value]):
        scheme, _, address = str(one).partition(":")
        email = address if scheme.lower() == "mailto" else None
        name = str(one.params.get("CN", "")) or email or str(one)
        yield ConferenceChair(str(number), last_name=name, shown_as=name, email=email)


def _categories(event: Any) -> Iterator[str]:
    value = event.get("CATEGORIES", [])
    for one in value if isinstance(value, list) else [value]:
        yield from (str(name) for name in one.cats)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, KeyError, OSError):
        return ZoneInfo("UTC")
