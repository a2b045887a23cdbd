"""Recurrence rules as data: the arguments of dateutil's rrule and the name of a time zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dateutil import rrule
from dateutil.tz import resolve_imaginary

from scheduler.clock import nowutc

# Rules of these frequencies can be started near any date; the others have few dates to walk.
FREQUENCIES = range(rrule.YEARLY, rrule.SECONDLY + 1)
_STEPS = {
    rrule.WEEKLY: timedelta(weeks=1),
    rrule.DAILY: timedelta(days=1),
    rrule.HOURLY: timedelta(hours=1),
    rrule.MINUTELY: timedelta(minutes=1),
    rrule.SECONDLY: timedelta(seconds=1),
}


class Rule:
    """A recurrence rule: `dateutil.rrule.rrule(frequency, **arguments)`, in its start's zone.

    Without a `dtstart` it starts now, in UTC. Dates are computed in local time; one that a
    change of clocks skips is moved behind the gap, one that exists twice is taken once, the
    first time. Raises TypeError or ValueError for arguments that make no rule.
    """

    def __init__(self, frequency: int, arguments: Mapping[str, Any]) -> None:
        data = dict(arguments)
        if frequency not in FREQUENCIES:
            raise ValueError(
                f"{frequency!r} is no frequency: use dateutil.rrule.DAILY and the like"
            )
        if data.get("interval", 1) < 1:
            raise ValueError(f"interval is {data['interval']!r}; it must be at least 1")
        start = _in_named_zone(data.pop("dtstart", None) or nowutc())
        self.zone = _zone_name(start.tzinfo) or "UTC"
        self.frequency = frequency
        self.start = start.replace(tzinfo=None, microsecond=0)
        until = data.pop("until", None)
        if until is not None:
            data["until"] = self._local(until)
        if data.get("byweekday") is not None:
            data["byweekday"] = _plain_weekdays(data["byweekday"])
        self.arguments = data
        self._rrule(self.start)

    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None when there is none."""
        local = self._local(moment)
        local -= self._change_of_clocks(local)
        for date in self._rrule(self._near(local)).xafter(local, inc=True):
            found = self._utc(date)
            if found > moment or (inclusive and found == moment):
                return found
        return None

    def first(self) -> datetime | None:
        """Return the rule's first date, in UTC; None for a rule without dates."""
        start = self._utc(self.start)
        return self.after(start - timedelta(seconds=1))

    def _near(self, local: datetime) -> datetime:
        step = _STEPS.get(self.frequency)
        if step is None or "count" in self.arguments:
            return self.start
        step = step * int(self.arguments.get("interval", 1))
        periods = (local - self.start) // step - 1
        return self.start + max(0, periods) * step

    def _change_of_clocks(self, local: datetime) -> timedelta:
        """Return by how much clocks change within a day of *local*."""
        zone, day = ZoneInfo(self.zone), timedelta(days=1)
        offsets = [
            moment.replace(tzinfo=zone).utcoffset() or timedelta()
            for moment in (local - day, local, local + day)
        ]
        return max(offsets) - min(offsets)

    def _rrule(self, start: datetime) -> rrule.rrule:
        arguments = dict(self.arguments)
        if arguments.get("byweekday") is not None:
            arguments["byweekday"] = [
                rrule.weekday(day, n) if n else day for day, n in arguments["byweekday"]
            ]
        return rrule.rrule(self.frequency, dtstart=start, **arguments)  # type: ignore[arg-type]

    def _local(self, moment: datetime) -> datetime:
        if moment.tzinfo is None:
            return moment
        return moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def _utc(self, local: datetime) -> datetime:
        real: datetime = resolve_imaginary(local.replace(tzinfo=ZoneInfo(self.zone)))
        return real.astimezone(UTC)


def _in_named_zone(start: datetime) -> datetime:
    # A fixed offset is no zone with rules of its own: what is meant is the moment.
    is_fixed = start.tzinfo is not None and _zone_name(start.tzinfo) is None
    return start.astimezone(UTC) if is_fixed else start


def _zone_name(zone: tzinfo | None) -> str | None:
    """Return the name of *zone*; None for one that has none."""
    if zone is None or zone is UTC:
        return "UTC"
    file = getattr(zone, "_filename", None)
    names = (getattr(zone, "key", None), getattr(zone, "zone", None), file)
    return next((name for name in names if name in available_timezones()), None)


def _plain_weekdays(days: Any) -> list[tuple[int, int | None]]:
    several = days if isinstance(days, Iterable) else (days,)
    return [
        (day.weekday, day.n) if isinstance(day, rrule.weekday) else (int(day), None)
        for day in several
    ]
