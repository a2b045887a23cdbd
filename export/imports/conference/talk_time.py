"""The times of schedules: how dates, clocks and durations are written, and what is ambiguous."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from export.errors import ImportRefused
from export.imports.node import NONE, Node

NIGHT_ENDS = time(6)
"""Where only the clock is given, a talk that begins earlier is in the night after its day."""

CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([AaPp])?\.?(?:[Mm]\.?)?", re.ASCII)
DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,]\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
DURATIONS = (
    re.compile(r"(?P<hours>\d{1,2}):(?P<minutes>[0-5]\d)", re.ASCII),
    re.compile(r"(?P<hours>\d\d):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)", re.ASCII),
    re.compile(r"(?P<hours>\d):(?P<minutes>[2-5]\d):(?P<seconds>00)", re.ASCII),
    re.compile(
        r"P(?:(?P<days>\d{1,3})D)?(?:T(?=\d)(?:(?P<hours>\d{1,3})H)?(?:(?P<minutes>\d{1,4})M)?"
        r"(?:(?P<seconds>\d{1,5})S)?)?",
        re.ASCII,
    ),
)
"""Hours and minutes, with seconds, or as ISO 8601. `1:00:00` may be a day or an hour."""

LONGEST = timedelta(days=31)


def start_of(node: Node, day: str, zone: tzinfo | None) -> datetime:
    """Return when the talk *node* begins, as UTC.

    *day* is the one that it is listed under, *zone* that of times without an offset. Raises
    ImportRefused.
    """
    text, told = node.text("date", ""), node.text("start", "")
    clock = _clock(told) if told.strip() else None
    if told.strip() and clock is None and not text:
        raise _unreadable(node, f"{day} {told}")
    moment = moment_of(text, zone, clock) if text else None
    if text and moment is None:
        raise _unreadable(node, text)
    if moment is None:
        if clock is None:
            raise _unreadable(node, day)
        listed = _day(day)
        if listed is None:
            raise _unreadable(node, f"{day} {told}")
        night = timedelta(days=clock < NIGHT_ENDS)
        moment = datetime.combine(listed + night, clock, zone)
    elif clock is not None and (moment.hour, moment.minute) != (clock.hour, clock.minute):
        raise ImportRefused(f"{node.where}.date is {text}, but .start is {told}")
    if moment.tzinfo is None:
        raise ImportRefused(
            f"{node.where} begins at {moment:%Y-%m-%d %H:%M}, but no time zone is given; "
            "give one with --timezone"
        )
    return moment.astimezone(UTC)


def _unreadable(node: Node, text: str) -> ImportRefused:
    return ImportRefused(f"{node.where} has no start that can be read: {text.strip()!r}")


def moment_of(text: str, zone: tzinfo | None, clock: time | None = None) -> datetime | None:
    """Return the time *text*; *clock* is for a day alone. None for what cannot be read."""
    found = DATE.fullmatch(text.strip())
    try:
        if found is None:
            return _by_mail(text)
        day = date.fromisoformat(found[1])
        if found[2] is None:
            return datetime.combine(day, clock, zone) if clock is not None else None
        offset = (found[3] or "").replace("Z", "+00:00").replace("UTC", "+00:00")
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _by_mail(text: str) -> datetime | None:
    """Return a time as mails have it: `Sun, 01 Mar 2026 10:00:00 +0100`."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo is not None and re.match(r"[A-Z][a-z]{2},", text) else None


def _clock(text: str) -> time | None:
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hour = int(found[1])
    if found[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[4] in "Pp" else 0)
    try:
        return time(hour, int(found[2]), int(found[3] or 0))
    except ValueError:
        return None


def _day(text: str) -> date | None:
    found = DATE.fullmatch(text.strip())
    try:
        return date.fromisoformat(found[1]) if found is not None else None
    except ValueError:
        return None


def duration_of(node: Node) -> timedelta:
    """Return how long the talk *node* takes. Raises ImportRefused."""
    told = node.get("duration", str, int, NONE)
    text = str(told or "").strip()
    for form in DURATIONS:
        found = form.fullmatch(text)
        parts = {name: int(one) for name, one in found.groupdict().items() if one} if found else {}
        if parts and timedelta(**parts) <= LONGEST:
            return timedelta(**parts)
    raise ImportRefused(f"{node.where}.duration is {told!r}; it must be as 00:45")


def day_of(node: Node, key: str) -> date | None:
    """Return the day *key*, or None without one. Raises ImportRefused."""
    text = node.text(key, "")
    day = _day(text) or (moment.date() if (moment := moment_of(text, UTC)) else None)
    if text and day is None:
        raise ImportRefused(f"{node.where}.{key} is no date: {text}")
    return day
