"""The first time at which an event of a calendar takes place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from itertools import islice
from typing import Any

from dateutil.rrule import rrulestr
from icalendar.prop import vRecur

from export.errors import ImportRefused
from export.imports.calendar.lines import Block

DAY = timedelta(days=1)
MOST = 100_000
"""How many times of a series are looked at."""

DAYS = {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYEASTER", "BYDAY"}
"""Parts of a recurrence rule that select days."""

DURATION = re.compile(
    r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)


@dataclass(frozen=True)
class Version:
    """A VEVENT: its lines, what they mean, and the zone of its times."""

    block: Block
    event: Any
    zone: tzinfo
    """The zone of days, which have none of their own."""

    zone_name: str = "UTC"
    is_cancelled: bool = False
    where: str = ""

    def first(self, name: str) -> Any:
        """Return the property *name*, the first of several; None without one."""
        value = self.event.get(name)
        return value[0] if isinstance(value, list) else value

    def told(self, name: str) -> Any:
        """Return the date or time *name*; None without one. Raises ImportRefused."""
        value = self.first(name)
        if value is None:
            return None
        found = getattr(value, "dt", None)
        if not isinstance(found, date):
            raise ImportRefused(f"{self.where}: {name} is no date that can be used")
        if isinstance(found, datetime) and found.tzinfo is None:
            raise ImportRefused(f"{self.where}: {name} is in an unknown zone")
        return found

    @property
    def start(self) -> Any:
        """The first DTSTART. Raises ImportRefused."""
        found = self.told("DTSTART")
        if found is None:
            raise ImportRefused(f"{self.where}: the event has no DTSTART")
        return found

    @property
    def recurs(self) -> bool:
        """Whether it has more times than one."""
        return "RRULE" in self.event or "RDATE" in self.event

    def end_of(self, start: Any) -> datetime:
        """Return when the occurrence that begins at *start* ends. Raises ImportRefused."""
        ends, lasts = self.told("DTEND"), self.block.value("DURATION")
        if ends is not None:
            return self._end_as_long(start, ends)
        if lasts:
            return self.after(start, lasts)
        return self.moment(start) if isinstance(start, datetime) else self._day_end(start)

    def _end_as_long(self, start: Any, ends: Any) -> datetime:
        own = self.start
        if isinstance(own, datetime) or isinstance(ends, datetime):
            return self.moment(start) + (self.moment(ends) - self.moment(own))
        if ends < own:
            return self.moment(ends)
        return self._day_end(start + max(ends - own - DAY, timedelta(0)))

    def after(self, start: Any, text: str) -> datetime:
        """Return the time *text*, a duration, after *start*: days by the clock, hours exactly."""
        found = DURATION.fullmatch(text.upper())
        if found is None:
            raise ImportRefused(f"{self.where}: DURATION cannot be read: {text!r}")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
        nominal = timedelta(weeks=weeks, days=days)
        exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if found[1] == "-":
            nominal, exact = -nominal, -exact
        end = self.moment(start + nominal) + exact
        is_day = not isinstance(start, datetime)
        return end - timedelta(minutes=1) if is_day and end > self.moment(start) else end

    def _day_end(self, day: date) -> datetime:
        return self.moment(day + DAY) - timedelta(minutes=1)

    def moment(self, value: Any) -> datetime:
        """Return a date or time as UTC."""
        if not isinstance(value, datetime):
            value = datetime.combine(value, time(0), self.zone)
        found: datetime = value.astimezone(UTC)
        return found

    def wall(self, value: Any) -> datetime:
        """Return a date or time as the clocks of DTSTART show it."""
        if not isinstance(value, datetime):
            return datetime.combine(value, time(0))
        zone = self.start.tzinfo if isinstance(self.start, datetime) else None
        return (value.astimezone(zone) if zone is not None else value).replace(tzinfo=None)

    def unwalled(self, wall: datetime) -> Any:
        """Return what `wall` made of a date or time."""
        if isinstance(self.start, datetime):
            return wall.replace(tzinfo=self.start.tzinfo)
        return wall.date() if wall.time() == time(0) else wall.replace(tzinfo=self.zone)

    def listed(self, name: str) -> Iterator[Any]:
        """Yield what the lists *name*, RDATE or EXDATE, have in them."""
        value = self.event.get(name, [])
        for one in value if isinstance(value, list) else [value]:
            for member in one.dts:
                found = member.dt
                if not isinstance(found[0] if isinstance(found, tuple) else found, date):
                    raise ImportRefused(f"{self.where}: {name} is no date that can be used")
                yield found

    @property
    def sequence(self) -> int:
        """The number of the version; the highest one counts."""
        return sequence_of(self.block)


def sequence_of(block: Block) -> int:
    """Return the SEQUENCE of *block*; 0 without one."""
    text = block.value("SEQUENCE")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@dataclass(frozen=True)
class Occurrence:
    """One time of an event, and the version that tells about it."""

    version: Version
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Series:
    """An event with its other versions, each for one of its times. Either may be missing."""

    master: Version | None
    changes: list[Version] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def first(self) -> Occurrence | None:
        """Return the first time that takes place, or None. Raises ImportRefused."""
        found = [
            Occurrence(one, one.moment(one.start), one.end_of(one.start))
            for one in self._latest_changes()
            if not one.is_cancelled and not self._is_excluded(one)
        ]
        regular = self._first_regular() if self.master is not None else None
        if regular is not None:
            found.insert(0, regular)
        return min(found, key=lambda one: one.start, default=None)

    def _latest_changes(self) -> list[Version]:
        latest: dict[Any, Version] = {}
        for one in self.changes:
            key = self._id(one)
            if key not in latest or one.sequence >= latest[key].sequence:
                latest[key] = one
        return list(latest.values())

    def _id(self, change: Version) -> datetime:
        """Return the time that *change* is about, as the clocks of the series show it."""
        return (self.master or change).wall(change.told("RECURRENCE-ID"))

    def _is_excluded(self, change: Version) -> bool:
        return self.master is not None and _exclusion(self.master)(self._id(change))

    def _first_regular(self) -> Occurrence | None:
        master = self.master
        assert master is not None  # noqa: S101 (for the type checker)
        changed = {self._id(one): one for one in self._latest_changes()}
        later = sorted(
            wall
            for wall, one in changed.items()
            if one.first("RECURRENCE-ID").params.get("RANGE", "").upper() == "THISANDFUTURE"
        )
        is_excluded, periods = _exclusion(master), _periods(master)
        for number, wall in enumerate(self._times(master, periods)):
            if number > MOST:
                raise ImportRefused(f"{master.where}: none of the first {MOST} times takes place")
            if is_excluded(wall) or wall in changed:
                continue
            since = max((one for one in later if one < wall), default=None)
            if since is None:
                return _occurrence(master, master.unwalled(wall), periods.get(wall))
            change = changed[since]
            if change.is_cancelled:
                return None
            moved = wall + (change.wall(change.start) - since)
            return _occurrence(change, change.unwalled(moved), None)
        return None

    def _times(self, master: Version, periods: dict[datetime, Any]) -> Iterator[datetime]:
        """Yield the times of *master* in their order, as its clocks show them."""
        start = master.wall(master.start)
        yield from sorted(wall for wall in periods if wall < start)
        rules = list(self._rules(master, start))
        if not rules or any(until is None or until >= start for until, _ in rules):
            yield start
        last = start
        for wall in merge(sorted(periods), *(iter(rule) for _, rule in rules)):
            if wall > last:
                yield wall
                last = wall

    def _rules(
        self, master: Version, start: datetime
    ) -> Iterator[tuple[datetime | None, Iterable[datetime]]]:
        """Yield the rules that can be read; what is wrong with others is told."""
        value = master.event.get("RRULE", [])
        for one in value if isinstance(value, list) else [value]:
            try:
                yield _rule(master, one, start)
            except (ValueError, KeyError, TypeError) as error:
                if one:
                    self.problems.append(f"{master.where}: RRULE cannot be read: {error}")


def _occurrence(version: Version, start: Any, period: Any) -> Occurrence:
    begins = version.moment(start)
    if isinstance(period, timedelta):
        return Occurrence(version, begins, begins + period)
    end = version.moment(period) if period is not None else version.end_of(start)
    return Occurrence(version, begins, end)


def _exclusion(master: Version) -> Callable[[datetime], bool]:
    """Return what says whether EXDATE excludes a time; a date excludes its whole day."""
    listed = list(master.listed("EXDATE"))
    walls = {master.wall(one) for one in listed}
    days = {one for one in listed if not isinstance(one, datetime)}
    return lambda wall: wall in walls or wall.date() in days


def _periods(master: Version) -> dict[datetime, Any]:
    """Return the times of RDATE, each with its own end or length; None where it has none."""
    found: dict[datetime, Any] = {}
    for one in master.listed("RDATE"):
        begins, ends = one if isinstance(one, tuple) else (one, None)
        found[master.wall(begins)] = ends
    return found


def _rule(
    master: Version, rule: Any, start: datetime
) -> tuple[datetime | None, Iterable[datetime]]:
    """Return the UNTIL of *rule* by the clocks of the series, and its times.

    Raises ValueError, KeyError, TypeError.
    """
    parts = {str(name).upper(): value for name, value in rule.items()}
    wall = _until(master, next(iter(_many(parts.pop("UNTIL", None))), None))
    counts = [int(one) for one in _many(parts.pop("COUNT", None)) if int(one) > 0]
    if any(int(one) < 1 for one in _many(parts.get("INTERVAL"))):
        raise ValueError("the INTERVAL is not positive")
    recur: Any = vRecur  # the library has no types for it
    made: Any = rrulestr(str(recur(parts).to_ical(), "ascii"), dtstart=start)
    if wall is not None:
        made = made.replace(until=wall)
    times = _walked(made, _days_of(parts, start))
    return wall, islice(times, counts[0]) if counts else times


def _days_of(parts: dict[str, Any], start: datetime) -> Iterable[datetime]:
    """Return the days that a rule allows, whatever its frequency."""
    recur: Any = vRecur  # the library has no types for it
    days = {name: value for name, value in parts.items() if name in DAYS}
    days["BYDAY"] = [str(one)[-2:] for one in _many(days.get("BYDAY"))]
    told = {name: value for name, value in days.items() if value}
    rule: Iterable[datetime] = rrulestr(
        str(recur({"FREQ": "YEARLY", **told}).to_ical(), "ascii"), dtstart=start
    )
    return rule if told else ()


def _walked(rule: Iterable[datetime], days: Iterable[datetime]) -> Iterator[datetime]:
    """Yield the times of *rule*; none where there is no day of *days*.

    A rule of seconds would search to the end of the calendar, for minutes, to find that out.
    """
    if days == () or next(iter(days), None) is not None:
        yield from rule


def _until(master: Version, until: Any) -> datetime | None:
    if until is None:
        return None
    if isinstance(until, datetime) or isinstance(master.start, datetime):
        return master.wall(until)
    return datetime.combine(until, time(23, 59, 59))


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
