"""Recurrence rules: those of RFC 5545, as dateutil computes them, in a zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import dropwhile, islice
from typing import Any

from dateutil import rrule, tz

from scheduler.clock import LATEST, in_utc, moment, nowutc
from scheduler.schedules.schedule import DAY, LocalSchedule, longest_gap, zone_named
from scheduler.values.plain import plain

FREQUENCIES = range(rrule.YEARLY, rrule.SECONDLY + 1)
# Rules of these frequencies can be started near any date; the others have few dates to walk.
STEPS = {
    rrule.WEEKLY: timedelta(weeks=1),
    rrule.DAILY: timedelta(days=1),
    rrule.HOURLY: timedelta(hours=1),
    rrule.MINUTELY: timedelta(minutes=1),
    rrule.SECONDLY: timedelta(seconds=1),
}
HOUR = timedelta(hours=1)
# The arguments that choose days; without any, a weekly rule has the weekday of its start.
DAYS_GIVEN = {"byweekno", "byyearday", "bymonthday", "byweekday", "byeaster"}


class Rule(LocalSchedule):
    """A recurrence rule: `dateutil.rrule.rrule(frequency, **arguments)`, in its start's zone.

    Without a `dtstart` it starts now, in UTC; a start whose zone has no name, only an offset,
    stays at that offset. An `until` without zone is local time. Weeks of a rule with `bysetpos`
    are whole weeks, also the first (dateutil counts from the start's day). Raises TypeError or
    ValueError for arguments that make no rule.
    """

    kind = "rule"

    def __init__(self, frequency: int, **arguments: Any) -> None:
        if frequency not in FREQUENCIES:
            raise ValueError(
                f"{frequency!r} is no frequency: use dateutil.rrule.DAILY and the like"
            )
        interval = arguments.get("interval", 1)
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(f"interval is {interval!r}; it must be a whole number from 1 on")
        self.frequency: int = plain(frequency)
        begin = _date(arguments.pop("dtstart", None) or nowutc(), "dtstart")
        self.zone, begin = _zone_and_local(begin)
        self.begin = begin.replace(microsecond=0)
        until = arguments.pop("until", None)
        self.until = until and self._moment(_date(until, "until"))
        self.arguments = {
            name: _plain(name, value) for name, value in arguments.items() if value is not None
        }
        self._started_at(self.begin)  # which checks the arguments
        self._end_by_date()

    def first(self) -> datetime | None:
        """Return the rule's first date, in UTC; None for a rule without dates."""
        return self.after(self.utc(self.begin), inclusive=True)

    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None if it has none."""
        begin = self.utc(self.begin)
        if moment < begin:
            moment, inclusive = begin, True
        found = super().after(moment, inclusive)
        return None if found is None or (self.until and found > self.until) else found

    def labels(self, start: datetime) -> Iterator[datetime]:
        """Yield the local dates from *start* on, in order, without a zone."""
        if not self._picks_from_weeks():
            return iter(self._started_at(self._near(start)).xafter(start, inc=True))
        found = self._started_at(self._week_of(self._near(start))).xafter(self.begin, inc=True)
        counted = islice(found, self.arguments.get("count"))
        return dropwhile(lambda label: label < start, counted)

    def is_dense(self, change: timedelta) -> bool:
        """Say whether the dates go on evenly where clocks are changed by *change*."""
        spacing = self._spacing()
        return spacing is not None and spacing <= change

    def packed(self) -> tuple[Any, ...]:
        """Return the rule as a tuple of plain values, as it is stored."""
        begin = int(self.begin.replace(tzinfo=UTC).timestamp())
        until = self.until and self.until.timestamp()
        return self.frequency, begin, self.zone, until, self.arguments

    @classmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> Rule:
        """Return the rule that was stored as *stored*."""
        rule = cls.__new__(cls)
        rule.frequency, begin, rule.zone, until, rule.arguments = stored
        rule.begin = moment(begin).replace(tzinfo=None)
        rule.until = until and moment(until)
        return rule

    def __repr__(self) -> str:
        name = rrule.FREQNAMES[self.frequency]
        arguments = "".join(f" {key}={value}" for key, value in sorted(self.arguments.items()))
        until = f" until {self.until}" if self.until else ""
        return f"{name}{arguments} from {self.begin} {self.zone}{until}"

    def _moment(self, date: datetime) -> datetime:
        return in_utc(date) if date.tzinfo else self.utc(date)

    def _step(self) -> timedelta | None:
        step = STEPS.get(self.frequency)
        return step and step * int(self.arguments.get("interval", 1))

    def _spacing(self) -> timedelta | None:
        """Return how far apart the dates are within the hours that have any.

        None for a rule without dates all day long, unless it has several in an hour.
        """
        step = self._step()
        if self.frequency < rrule.HOURLY or step is None:
            return None
        minutes = self.arguments.get("byminute")
        if self.frequency > rrule.HOURLY or step == HOUR:
            hourly = HOUR if self.frequency == rrule.HOURLY else step
            step = hourly if minutes in (None, ()) else longest_gap(_several(minutes))
        return None if step >= HOUR and "byhour" in self.arguments else step

    def _near(self, local: datetime) -> datetime:
        step = self._step()
        if step is None or "count" in self.arguments:
            return self.begin
        periods = (local - self.begin) // step - 1
        # A dense rule that begins in an hour that comes twice has its earlier minutes, then.
        least = 0 if self._spacing() is None else -(DAY // step)
        return self.begin + max(least, periods) * step

    def _picks_from_weeks(self) -> bool:
        return self.frequency == rrule.WEEKLY and "bysetpos" in self.arguments

    def _week_of(self, local: datetime) -> datetime:
        first = self.arguments.get("wkst", rrule.MO.weekday)
        return local - timedelta(days=(local.weekday() - first) % 7)

    def _end_by_date(self) -> None:
        # The dates of such a rule need not be counted, which is to walk through them all.
        step = self._step()
        if step is None or not self.arguments.keys() <= {"count", "interval", "wkst", "cache"}:
            return
        count = self.arguments.pop("count", None)
        if count is not None:
            last = self._date_number(count, step) if count > 0 else _NEVER
            self.until = min(last, self.until or last)

    def _date_number(self, count: int, step: timedelta) -> datetime:
        try:
            return self.utc(self.begin + (count - 1) * step)
        except OverflowError:
            return moment(LATEST)

    def _started_at(self, start: datetime) -> rrule.rrule:
        arguments = dict(self.arguments)
        if "byweekday" in arguments:
            arguments["byweekday"] = [
                rrule.weekday(day, n) if n else day for day, n in arguments["byweekday"]
            ]
        if self._picks_from_weeks():
            arguments.pop("count", None)
            if not arguments.keys() & DAYS_GIVEN:
                arguments["byweekday"] = self.begin.weekday()
        return rrule.rrule(self.frequency, dtstart=start, **arguments)  # type: ignore[arg-type]


_NEVER = datetime.min.replace(tzinfo=UTC)


def _date(value: Any, name: str) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {value!r}")
    return value


def _zone_and_local(begin: datetime) -> tuple[str, datetime]:
    """Return the name of the zone of *begin*, and the local time there."""
    zone = begin.tzinfo
    if zone is None:
        return "UTC", begin
    return _zone_name(zone), begin.replace(tzinfo=None)


def _zone_name(zone: tzinfo) -> str:
    file = str(getattr(zone, "_filename", "")).rpartition("zoneinfo/")[2]
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or file
    offset = None if name else _fixed_offset(zone)
    if offset is not None:
        return timezone(offset).tzname(None).removeprefix("UTC") or "UTC"
    if not name:
        raise ValueError(f"the zone {zone!r} has no name: use zoneinfo.ZoneInfo")
    zone_named(name)  # which checks it
    return str(name)


def _fixed_offset(zone: tzinfo) -> timedelta | None:
    """Return the offset from UTC that *zone* has at all times; None where it has not one."""
    if isinstance(zone, tz.tzlocal):  # the host's zone, which differs from process to process
        return None
    try:
        return zone.utcoffset(None)
    except Exception:  # noqa: BLE001 (classes of applications may need a date)
        return None


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Iterable) else (value,)


def _plain(name: str, value: Any) -> Any:
    """Return what is given for the argument *name* as plain values, to be stored."""
    if name == "byweekday":
        return tuple(
            (day.weekday, day.n) if isinstance(day, rrule.weekday) else (int(day), None)
            for day in _several(value)
        )
    if isinstance(value, rrule.weekday):
        return value.weekday
    if isinstance(value, str) or not isinstance(value, Iterable):
        return plain(value)
    return tuple(map(plain, value))
