"""How long a task waits before it is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST = timedelta(seconds=2)
LONGEST = timedelta(hours=1)


class TaskDelayed(Exception):  # noqa: N818 (documented name)
    """Raised by a task that wants to run later; not a failed try.

    What the run changed is undone, and the task is queued for `seconds` from now.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"delayed by {seconds} s")
        self.delaySeconds = seconds


def back_off(tries: int) -> timedelta:
    """Return the wait after the given number of failed *tries*: doubling, with jitter."""
    longest: timedelta = min(LONGEST, FIRST * 2 ** min(tries - 1, 20))
    return longest * random.uniform(0.5, 1)  # noqa: S311 (jitter is no secret)
