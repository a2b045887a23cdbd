"""The dates that requests name: `today`, `-7d`, `2011-06-23T08:00` (reference 5.2)."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

from export.errors import MalformedRequest

OFFSET = re.compile(r"([+-])?(?:(\d{1,3})d)?(?:(\d{1,2})h)?(?:(\d{1,2})m)?", re.ASCII)
COMPACT = re.compile(r"([+-])?(\d{1,3})(\d\d)(\d\d)", re.ASCII)
ABSOLUTE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:T(\d{1,2}):(\d{1,2}))?", re.ASCII)
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
START, END = time(0, 0, 0), time(23, 59, 59)


def parse_from(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """Return the beginning that *text* names in *zone*; None for "". Raises MalformedRequest."""
    return _parse(text, zone, now, START)


def parse_to(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """Return the end that *text* names in *zone*; None for "". Raises MalformedRequest."""
    return _parse(text, zone, now, END)


def _parse(text: str, zone: tzinfo, now: datetime, edge: time) -> datetime | None:
    if not text:
        return None
    if text == "now":
        return now
    today = now.astimezone(zone).date()
    if text in DAYS:
        return datetime.combine(today + timedelta(days=DAYS[text]), edge, zone)
    absolute = ABSOLUTE.fullmatch(text)
    if absolute:
        return _absolute(text, absolute, zone, edge)
    offset = OFFSET.fullmatch(text) or COMPACT.fullmatch(text)
    if not offset:
        raise MalformedRequest(f"Impossible to parse '{text}'")
    day = (now.astimezone(zone) + _offset(offset, edge)).date()
    return datetime.combine(day, edge, zone)


def _absolute(text: str, found: re.Match[str], zone: tzinfo, edge: time) -> datetime:
    year, month, day, hour, minute = (int(part) if part else None for part in found.groups())
    try:
        if hour is None or minute is None:
            return datetime.combine(date(year or 0, month or 0, day or 0), edge, zone)
        return datetime(year or 0, month or 0, day or 0, hour, minute, tzinfo=zone)
    except ValueError:
        raise MalformedRequest(f"Impossible to parse '{text}'") from None


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
