"""What executors have in common: their methods, and how many tasks they ask for at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from scheduler.execution import GROUP_LIMIT, Outcome
from scheduler.running import Claim

AHEAD_SECONDS = 0.1


class Lost(NamedTuple):
    """A claim whose worker is gone, and whether its task is to blame for that."""

    claim: Claim
    is_blamed: bool

    @classmethod
    def all_of(cls, claims: Sequence[Claim], was_killed: bool = False) -> list[Lost]:
        """Return the losses of a worker that held *claims*.

        The task is to blame where the worker held no other, unless it *was_killed* by us.
        """
        return [cls(claim, len(claims) == 1 and not was_killed) for claim in claims]


class Executor(Protocol):
    """Runs the tasks that it is given claims on; outcomes are collected from it."""

    def room(self) -> int:
        """Return how many more claims it would take now."""

    def submit(self, claims: Sequence[Claim]) -> None:
        """Take *claims* and run their tasks."""

    def collect(self) -> tuple[list[Outcome], list[Lost]]:
        """Return the outcomes since the last call, and what was lost with a worker."""

    def is_busy(self) -> bool:
        """Say whether claims are with it whose outcomes were not collected."""

    def shutdown(self, seconds: float) -> list[Claim]:
        """Stop after at most *seconds* for what is running; return what was not started."""


class Flow:
    """How many claims the workers should have between them, from how long tasks take.

    Enough to keep them busy for a tenth of a second; so a task that takes longer is given out
    only when a worker is free to begin it.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds_per_task = AHEAD_SECONDS

    def observe(self, seconds: float, tasks: int) -> None:
        """Learn that a worker took *seconds* for a number of *tasks*."""
        self._seconds_per_task += 0.3 * (seconds / tasks - self._seconds_per_task)

    def slow_down(self) -> None:
        """Give out one claim at a time for a while: one of them has cost a worker its life."""
        self._seconds_per_task = AHEAD_SECONDS

    @property
    def share(self) -> int:
        """How many claims one worker should have."""
        return max(1, min(GROUP_LIMIT, int(AHEAD_SECONDS / max(1e-6, self._seconds_per_task))))

    @property
    def window(self) -> int:
        """How many claims all workers together should have."""
        return self._workers * self.share


class Results:
    """What workers have reported and nobody has collected, with a call for each report."""

    def __init__(self, on_report: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._lost: list[Lost] = []
        self._on_report = on_report

    def report(self, outcomes: Sequence[Outcome], lost: Sequence[Lost] = ()) -> None:
        """Add what a worker has to say."""
        with self._lock:
            self._outcomes.extend(outcomes)
            self._lost.extend(lost)
        self._on_report()

    def collect(self) -> tuple[list[Outcome], list[Lost]]:
        """Return and forget what was reported."""
        with self._lock:
            collected = self._outcomes, self._lost
            self._outcomes, self._lost = [], []
        return collected
