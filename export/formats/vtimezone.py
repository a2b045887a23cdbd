"""VTIMEZONE: the clocks of a zone, in the years that a calendar is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""The years in which times are written by the clocks of a zone; all others are in UTC."""

STEP = timedelta(days=5)
"""No zone changes its clocks twice within that time, and back."""

SECOND = timedelta(seconds=1)


class Clocks(NamedTuple):
    """How the clocks of a zone go: their distance from UTC, its name, and whether it is summer."""

    offset: timedelta
    name: str
    is_summer: bool


@lru_cache(maxsize=64)
def timezone_component(key: str, first_year: int, last_year: int) -> Timezone:
    """Return the VTIMEZONE of the zone *key* for all times of these years; do not change it."""
    zone = ZoneInfo(key)
    begin = datetime(max(first_year - 1, FIRST_YEAR - 1), 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 2, tzinfo=UTC)
    changes: dict[tuple[Clocks, timedelta], list[datetime]] = {}
    before = _clocks(zone, begin)
    changes[before, before.offset] = [begin + before.offset]
    for moment, after in _changes(zone, begin, end):
        changes.setdefault((after, before.offset), []).append(moment + before.offset)
        before = after
    component = Timezone()
    component.add("tzid", key)
    for (clocks, offset_before), onsets in changes.items():
        component.add_component(_observance(clocks, offset_before, onsets))
    return component


def _observance(
    clocks: Clocks, offset_before: timedelta, onsets: list[datetime]
) -> TimezoneDaylight | TimezoneStandard:
    made = TimezoneDaylight() if clocks.is_summer else TimezoneStandard()
    first, *others = (onset.replace(tzinfo=None) for onset in onsets)
    made.add("dtstart", first)
    if others:
        made.add("rdate", others)
    made.add("tzoffsetfrom", offset_before)
    made.add("tzoffsetto", clocks.offset)
    made.add("tzname", clocks.name)
    return made


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[tuple[datetime, Clocks]]:
    """Yield each moment from *begin* to *end* at which clocks are changed, and how they go then."""
    before = _clocks(zone, begin)
    while begin < end:
        later = begin + STEP
        after = _clocks(zone, later)
        if after != before:
            yield _moment_of_change(zone, begin, later), after
        begin, before = later, after


def _moment_of_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the second between the two at which the clocks are changed."""
    old = _clocks(zone, before)
    while after - before > SECOND:
        middle = before + (after - before) // 2 // SECOND * SECOND
        before, after = (middle, after) if _clocks(zone, middle) == old else (before, middle)
    return after


def _clocks(zone: ZoneInfo, moment: datetime) -> Clocks:
    local = moment.astimezone(zone)
    offset, summer = local.utcoffset(), local.dst()
    return Clocks(offset or timedelta(), local.tzname() or "", bool(summer))
