"""Limits: how many tasks of a named queue run at a time, and how many are started in a period."""

from __future__ import annotations

import math
from typing import NamedTuple

# Slots of a period in which starts are counted: a start is allowed again at most a slot late.
SLOTS = 20
# The periods in seconds that there may be: with others, times cannot be counted any more.
SHORTEST, LONGEST = 1e-6, 1e12


class Limit(NamedTuple):
    """The limits of a named queue, over all schedulers of the database; None for no limit."""

    at_once: int | None = None
    """How many of its tasks are with a worker at a time."""

    rate: int | None = None
    """How many are started in any *period*."""

    period: float = 1.0
    """In seconds."""

    is_paused: bool = False
    """Whether none of its tasks is started."""

    def checked(self) -> Limit:
        """Return the limit; ValueError naming an invalid part."""
        for what, number in (("atOnce", self.at_once), ("rate", self.rate)):
            if number is not None and (type(number) is not int or number < 0):
                raise ValueError(f"{what} is {number!r}; it must be a whole number from 0, or None")
        if not isinstance(self.period, int | float) or not SHORTEST <= self.period <= LONGEST:
            raise ValueError(
                f"period is {self.period!r}; it must be a number of seconds from {SHORTEST:g} "
                f"to {LONGEST:g}"
            )
        return self


# Seconds until a queue that nothing may leave is looked at again, unless its limit is set anew.
CLOSED_SECONDS = 60.0


class Starts(NamedTuple):
    """When tasks of a queue were started of late: how many in which slot of time."""

    slots: tuple[tuple[int, int], ...] = ()

    def allowed(self, limit: Limit, now: float) -> float:
        """Return how many more may be started at *now* (since 1970)."""
        if limit.rate is None:
            return math.inf
        return max(0, limit.rate - sum(count for _, count in self._recent(limit, now)))

    def wait(self, limit: Limit, now: float) -> float:
        """Return the earliest time (Unix seconds) at which another task may start."""
        if limit.rate == 0:
            return now + CLOSED_SECONDS
        recent = self._recent(limit, now)
        if not recent or self.allowed(limit, now):
            return now
        return (recent[0][0] + SLOTS + 1) * limit.period / SLOTS

    def add(self, limit: Limit, now: float, count: int) -> Starts:
        """Return the starts with *count* more at *now*."""
        slot = self._slot(limit, now)
        recent = dict(self._recent(limit, now))
        recent[slot] = recent.get(slot, 0) + count
        return Starts(tuple(sorted(recent.items())))

    def _recent(self, limit: Limit, now: float) -> list[tuple[int, int]]:
        # A start may have been at the very end of its slot. A start far ahead was counted by
        # another period, or before the clock was set back.
        at = self._slot(limit, now)
        return [each for each in self.slots if at - SLOTS <= each[0] <= at + SLOTS]

    def _slot(self, limit: Limit, now: float) -> int:
        return math.floor(now * SLOTS / limit.period)
