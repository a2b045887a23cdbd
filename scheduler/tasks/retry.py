"""Retry policies: when a failed task has its next attempt."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.errors import SignalTimeoutError, TooLarge

# A delay shorter than AT_ONCE_SECONDS is granted AT_ONCE_TIMES in a row, then it doubles each time.
AT_ONCE_SECONDS = 1.0
AT_ONCE_TIMES = 10
FIRST_PACE = 0.05
LONGEST_PACE = 10.0


class TaskDelayed(Exception):  # noqa: N818 (documented name)
    """Raised by a task that wants to run later; not a failed try.

    The changes of the attempt are aborted, and the task is queued for `seconds` from now, at the
    latest for the end of the year 9999. A task that repeats delays of less than a second waits
    longer each time, up to 10 seconds. Raises TypeError or ValueError if *seconds* is no number.
    """

    def __init__(self, seconds: float) -> None:
        if not isinstance(seconds, int | float):
            raise TypeError(f"the delay is {seconds!r}; it must be a number of seconds")
        if math.isnan(seconds):
            raise ValueError("the delay is NaN; it must be a number of seconds")
        super().__init__(f"delayed by {seconds} s")
        self.delaySeconds = seconds


@dataclass(frozen=True)
class Retry:
    """How a task is tried again after a failure; times are seconds.

    The waits are first, first * factor, first * factor ** 2... up to *longest*; the part
    *jitter* of each is left to chance, so that what failed together is not tried together.
    Raises ValueError for numbers that make no wait.
    """

    tries: int | None = None
    """How many tries there are; None for what the task or the scheduler says."""

    first: float = 2
    factor: float = 2
    longest: float = 3600
    jitter: float = 0.5

    def __post_init__(self) -> None:
        for name in ("first", "factor", "longest", "jitter"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"{name} is {value!r}; it must be a number from 0")
        if self.jitter > 1:
            raise ValueError(f"jitter is {self.jitter!r}; it must be a part from 0 to 1")
        if self.tries is not None and (not isinstance(self.tries, int) or self.tries < 1):
            raise ValueError(f"tries is {self.tries!r}; it must be a whole number from 1, or None")

    def wait(self, tries: int) -> float:
        """Return the seconds to wait after the given number of failed *tries*."""
        try:
            longest = min(self.longest, self.first * float(self.factor) ** (tries - 1))
        except OverflowError:  # a task may be tried for years
            longest = self.longest
        return longest * random.uniform(1 - self.jitter, 1)  # noqa: S311 (jitter is no secret)


def paced(seconds: float, times: int) -> float:
    """Return the delay in seconds of a task that asked for *seconds*, *times* in a row.

    Each attempt is recorded: a task that came back at once without end would fill the disk.
    """
    if seconds >= AT_ONCE_SECONDS or times <= AT_ONCE_TIMES:
        return seconds
    doubled = FIRST_PACE * 2.0 ** min(times - AT_ONCE_TIMES, 50)
    return max(seconds, min(LONGEST_PACE, doubled))


NEVER = Retry(tries=1)
"""No second try."""


def retry_for(kind: type[BaseException], table: Mapping[type[BaseException], Retry]) -> Retry:
    """Return the entry of *table* for the nearest base of the exception *kind*.

    Without one, TooLarge is not retried, as the value would be too large again, nor is
    SignalTimeoutError.
    """
    default = NEVER if issubclass(kind, TooLarge | SignalTimeoutError) else _DEFAULT
    return next((table[base] for base in kind.__mro__ if base in table), default)


_DEFAULT = Retry()
