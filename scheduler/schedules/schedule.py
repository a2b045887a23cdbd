"""Schedules: the dates at which something is to happen, as plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from scheduler.clock import in_utc

NO_TIME = timedelta(0)
DAY = timedelta(days=1)
# The zones' offsets are looked up a little before each date.
FIRST = datetime(1, 1, 4, tzinfo=UTC)


_KINDS: dict[str, type[Schedule]] = {}


class Schedule(ABC):
    """Dates, in order; computed from near where one looks, not walked from the beginning."""

    kind: ClassVar[str]
    """How this kind of schedule is called in what is stored."""

    @abstractmethod
    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None if it has none."""

    def between(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the dates from *since* to *until*, both included, in order."""
        date = self.after(since, inclusive=True)
        while date is not None and date <= until:
            yield date
            date = self.after(date)

    @abstractmethod
    def first(self) -> datetime | None:
        """Return the date to begin with, in UTC; None for a schedule without dates."""

    @abstractmethod
    def packed(self) -> tuple[Any, ...]:
        """Return the schedule as a tuple of plain values, as it is stored."""

    @classmethod
    @abstractmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> Schedule:
        """Return the schedule that was stored as *stored*."""

    def __init_subclass__(cls) -> None:
        if "kind" in cls.__dict__:
            _KINDS[cls.kind] = cls

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(repr(self._identity()))

    def _identity(self) -> tuple[Any, ...]:
        return self.kind, *self.packed()


def packed(schedule: Schedule) -> tuple[Any, ...]:
    """Return *schedule* as a tuple of its kind and plain values, as it is stored."""
    return schedule.kind, *schedule.packed()


def unpacked(stored: tuple[Any, ...]) -> Schedule:
    """Return the schedule that was stored as *stored*."""
    return _KINDS[stored[0]].unpacked(stored[1:])


class LocalSchedule(Schedule):
    """Dates of a calendar that hangs in some place: what it says is the local time of a zone.

    Where clocks are changed, a local time may not exist, or exist twice. A schedule that has a
    date for each day, week or other long time has it then, too, and once: a time that does
    not exist is as much behind the gap as it would be in it (RFC 5545, 3.3.5), one that exists
    twice is taken the first time. A dense schedule goes on evenly: it has each local time as
    often as that exists.
    """

    zone: str

    @abstractmethod
    def labels(self, start: datetime) -> Iterator[datetime]:
        """Yield the local dates from *start* on, in order, without a zone."""

    @abstractmethod
    def is_dense(self, change: timedelta) -> bool:
        """Say whether the dates go on evenly where clocks are changed by *change*."""

    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None if it has none."""
        if moment < FIRST:
            moment, inclusive = FIRST, True
        try:
            return self._after(moment, inclusive)
        except OverflowError:
            return None  # the calendar ends before

    def _after(self, moment: datetime, inclusive: bool) -> datetime | None:
        local = moment.astimezone(self._tzinfo).replace(tzinfo=None)
        labels = self.labels(local - self._shift(moment))

        def behind(label: datetime) -> list[datetime]:
            found = self._moments(label)
            return [at for at in found if at > moment or (inclusive and at == moment)]

        for label in labels:
            found = behind(label)
            if found:
                # Where clocks are changed, a later label may stand for an earlier moment.
                reach = abs(self._change_at(label))
                rivals = _until(label + reach, labels) if reach else ()
                return min(found + [at for rival in rivals for at in behind(rival)])
        return None

    def utc(self, local: datetime) -> datetime:
        """Return when it is *local* in the schedule's zone, in UTC."""
        return in_utc(local.replace(tzinfo=self._tzinfo))

    @property
    def _tzinfo(self) -> tzinfo:
        return zone_named(self.zone)

    def _moments(self, label: datetime) -> tuple[datetime, ...]:
        change = self._change_at(label)
        if not change or not self.is_dense(abs(change)):
            return (self.utc(label),)
        return () if change > NO_TIME else (self.utc(label), self.utc(label) - change)

    def _change_at(self, label: datetime) -> timedelta:
        """Return by how much clocks are put forward where *label* does not exist, or exists twice.

        It is nothing for all other local times.
        """
        before = label.replace(tzinfo=self._tzinfo)
        after = before.replace(fold=1)
        return (after.utcoffset() or NO_TIME) - (before.utcoffset() or NO_TIME)

    def _shift(self, moment: datetime) -> timedelta:
        """Return by how much clocks are changed, if *moment* is within reach of that."""
        shift = self._change_within(moment, DAY)
        return shift and self._change_within(moment, shift)

    def _change_within(self, moment: datetime, reach: timedelta) -> timedelta:
        moments = (moment - reach, moment, moment + reach)
        offsets = [at.astimezone(self._tzinfo).utcoffset() or NO_TIME for at in moments]
        return max(offsets) - min(offsets)


def _until(last: datetime, labels: Iterator[datetime]) -> Iterator[datetime]:
    return takewhile(lambda label: label <= last, labels)


def longest_gap(minutes: Iterable[int]) -> timedelta:
    """Return the longest time from one of the *minutes* of an hour to the next, the next hour's."""
    ordered = sorted(minutes)
    steps = [later - earlier for earlier, later in pairwise([*ordered, ordered[0] + 60])]
    return timedelta(minutes=max(steps))


@lru_cache
def zone_named(name: str) -> tzinfo:
    """Return the zone with that *name*, or the fixed offset "+02:00"; ValueError where none is."""
    try:
        if isinstance(name, str) and name.startswith(("+", "-")):
            return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo or UTC
        return ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError):
        raise ValueError(
            f"{name!r} is no time zone: use a name such as 'Europe/Zurich' or 'UTC', "
            "or an offset such as '+02:00'"
        ) from None
