"""Fixed intervals, as schedules."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from scheduler.clock import aware, in_utc, moment, nowutc
from scheduler.schedules.schedule import Schedule
from scheduler.values.plain import plain

MICROSECOND = timedelta(microseconds=1)


class Interval(Schedule):
    """A date every so many *seconds*, from *start* (an aware datetime; now) on.

    The dates are exact to the microsecond, whenever the one before was taken up. ValueError
    for less than a microsecond.
    """

    kind = "interval"

    def __init__(self, seconds: float, start: datetime | None = None) -> None:
        if not (math.isfinite(seconds) and seconds * 1_000_000 >= 1):
            raise ValueError(f"seconds is {seconds!r}; it must be a number greater than 0")
        self.seconds = plain(seconds)
        self.start = in_utc(aware(start or nowutc(), "start"))

    def first(self) -> datetime | None:
        """Return the start."""
        return self.start

    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None if it has none."""
        since = moment - self.start - (MICROSECOND if inclusive else timedelta())
        try:
            step = timedelta(seconds=self.seconds)
            periods = max(0, since // step + 1)
            return self.start + periods * step
        except OverflowError:
            return None

    def packed(self) -> tuple[Any, ...]:
        """Return seconds and start, as they are stored."""
        return self.seconds, self.start.timestamp()

    @classmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> Interval:
        """Return the one that was stored as *stored*."""
        interval = cls.__new__(cls)
        interval.seconds, interval.start = stored[0], moment(stored[1])
        return interval

    def __repr__(self) -> str:
        return f"every {self.seconds:g} s from {self.start:%Y-%m-%d %H:%M:%S}"
