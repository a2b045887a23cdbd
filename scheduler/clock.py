"""The one clock of scheduler, tasks and livesync, replaceable in tests.

Every time inside the system is an aware UTC datetime; zones appear only at the edges.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock_time
from typing import ClassVar, TypeVar

# A second is left at both ends of the calendar, so that no date stands for "never" or overflows.
EARLIEST = -62_135_596_799.0
LATEST = 253_402_300_798.0

Source = TypeVar("Source", bound="TimeSource")


class TimeSource:
    """Where the current time comes from.

    A test sets a source of its own with `TimeSource.set(source)`; anything that has
    `getCurrentTime()` and `sleep(seconds)` will do.
    """

    _source: ClassVar[TimeSource]

    @classmethod
    def get(cls) -> TimeSource:
        """Return the source in force."""
        return TimeSource._source

    @classmethod
    def set(cls, source: TimeSource) -> None:
        """Put *source* in force for the whole process."""
        TimeSource._source = source

    def getCurrentTime(self) -> datetime:
        """Return the current time as an aware UTC datetime."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for *seconds*."""
        time.sleep(seconds)


TimeSource.set(TimeSource())


@contextmanager
def timed_by(source: Source) -> Iterator[Source]:
    """Put *source* in force for as long as the block lasts."""
    before = TimeSource.get()
    TimeSource.set(source)
    try:
        yield source
    finally:
        TimeSource.set(before)


class ClockUse:
    """How long a value stays right that is computed from the current time, or from the day."""

    until: datetime | None = None
    """The time from which it may be another; None where it does not depend on the time."""

    def limit(self, until: datetime) -> None:
        """Note that the value may be another from *until* on."""
        self.until = until if self.until is None else min(self.until, until)


_use: ContextVar[ClockUse | None] = ContextVar("clock use", default=None)


@contextmanager
def noting_use() -> Iterator[ClockUse]:
    """Give what says how long the values stay right that are computed inside."""
    use = ClockUse()
    token = _use.set(use)
    try:
        yield use
    finally:
        _use.reset(token)


def nowutc() -> datetime:
    """Return the current time of the source in force, as an aware UTC datetime."""
    now = TimeSource.get().getCurrentTime()
    use = _use.get()
    if use is not None:
        use.limit(now)
    return now


def today(zone: tzinfo) -> date:
    """Return the current date in *zone*."""
    local = TimeSource.get().getCurrentTime().astimezone(zone)
    use = _use.get()
    if use is not None:
        midnight = datetime.combine(local.date() + timedelta(days=1), clock_time(), zone)
        use.limit(midnight.astimezone(UTC))
    return local.date()


def moment(timestamp: float) -> datetime:
    """Return the aware UTC datetime of *timestamp* (seconds since 1970)."""
    return datetime.fromtimestamp(timestamp, UTC)


def stamp(date: datetime) -> float:
    """Return *date* in seconds since 1970, within the years 1 to 9999 of UTC.

    Raises TypeError for what is no datetime, ValueError for one without a time zone.
    """
    if not isinstance(date, datetime):
        raise TypeError(f"{date!r} is no datetime")
    if date.utcoffset() is None:
        raise ValueError(f"{date!r} has no time zone")
    return within_calendar(date.timestamp())


def within_calendar(timestamp: float) -> float:
    """Return *timestamp*, or the end of the calendar that it lies beyond; ValueError for NaN."""
    if timestamp != timestamp:
        raise ValueError("a date is NaN, which is no number")
    return min(LATEST, max(EARLIEST, timestamp))


def later(date: datetime, seconds: float) -> datetime:
    """Return the date so many *seconds* after *date*, or the end of the calendar before it."""
    try:
        return date + timedelta(seconds=seconds)
    except OverflowError:
        return moment(LATEST if seconds > 0 else EARLIEST)


def in_utc(date: datetime) -> datetime:
    """Return the aware *date* in UTC, or the end of the calendar that it lies beyond there."""
    try:
        return date.astimezone(UTC)
    except OverflowError:
        return moment(stamp(date))


def aware(dt: datetime, name: str) -> datetime:
    """Return *dt*; ValueError naming the argument *name* if it has no time zone."""
    if not isinstance(dt, datetime):
        raise TypeError(f"{name} must be a datetime, not {dt!r}")
    if dt.tzinfo is None:
        raise ValueError(
            f"{name} must have a time zone: use nowutc(), or datetime(..., tzinfo=UTC)"
        )
    return dt
