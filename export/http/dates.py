"""The dates that requests name: `today`, `-7d`, `2011-06-23T08:00` (reference 5.2).

A date as answers print it is understood too: with seconds, with `Z` or an offset from UTC. A
`+` that was not escaped arrives as a blank, and is taken for what it was.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from export.errors import MalformedRequest
from scheduler.clock import nowutc, today

OFFSET = re.compile(r"([+-])?(?:(\d{1,3})d)?(?:(\d{1,2})h)?(?:(\d{1,2})m)?", re.ASCII)
COMPACT = re.compile(r"([+-])?(\d{1,3})(\d\d)(\d\d)", re.ASCII)
DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
MOMENT = re.compile(
    rf"{DAY.pattern}[T ](\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d{{1,6}}))?)?"
    r"(?P<zone>Z|[+ -]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
"""The zone is the one of the request, where it is not told."""

IN_A_CALENDAR = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)()(?P<zone>Z)?", re.ASCII)
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
START, END = time(0, 0, 0), time(23, 59, 59)


def parse_from(text: str, zone: tzinfo) -> datetime | None:
    """Return the beginning that *text* names in *zone*; None for "". Raises MalformedRequest."""
    return _parse(text, zone, START)


def parse_to(text: str, zone: tzinfo) -> datetime | None:
    """Return the end that *text* names in *zone*; None for "". Raises MalformedRequest."""
    return _parse(text, zone, END)


def _parse(text: str, zone: tzinfo, edge: time) -> datetime | None:
    if not text:
        return None
    if text == "now":
        return nowutc()
    if text in DAYS:
        return datetime.combine(today(zone) + timedelta(days=DAYS[text]), edge, zone)
    try:
        absolute = _absolute(text, zone, edge)
    except ValueError:
        absolute = None
    if absolute is not None:
        return absolute
    offset = _sign_restored(text)
    found = OFFSET.fullmatch(offset) or COMPACT.fullmatch(offset)
    if not found:
        raise MalformedRequest(f"Impossible to parse '{text}'")
    return datetime.combine(_shifted(_offset(found, edge), zone), edge, zone)


def _shifted(offset: timedelta, zone: tzinfo) -> date:
    """Return the day that is *offset* from now; whole days count from today, at any time of it."""
    if offset % timedelta(days=1):
        return (nowutc().astimezone(zone) + offset).date()
    return today(zone) + offset


def _sign_restored(text: str) -> str:
    return f"+{text[1:]}" if text.startswith(" ") else text


def _absolute(text: str, zone: tzinfo, edge: time) -> datetime | None:
    """Return the day or the moment that *text* is; None for none. Raises ValueError."""
    day = DAY.fullmatch(text)
    if day:
        return datetime.combine(date(*map(int, day.groups())), edge, zone)
    found = MOMENT.fullmatch(text) or IN_A_CALENDAR.fullmatch(text)
    if not found:
        return None
    *numbers, fraction, _ = found.groups()
    parts = [int(number or 0) for number in numbers]
    micros = int((fraction or "").ljust(6, "0"))
    return datetime(*parts, micros, tzinfo=_zone(found["zone"]) or zone)  # type: ignore[misc, arg-type]


def _zone(text: str | None) -> tzinfo | None:
    """Return the offset from UTC that *text* is. Raises ValueError for more than a day."""
    if not text or text == "Z":
        return UTC if text else None
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if minutes > 59:
        raise ValueError(f"{text} is no offset from UTC")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text.startswith("-") else offset)


def _offset(found: re.Match[str], edge: time) -> timedelta:
    sign, days, hours, minutes = found.groups(default="")
    offset = timedelta(days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0))
    if sign == "-":
        if edge is END:
            raise MalformedRequest("End date cannot be a negative offset")
        return -offset
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        raise MalformedRequest("Invalid time!")
    return offset
