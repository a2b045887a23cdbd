"""The activity of a scheduler, kept in memory: other threads judge its health by it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

# Seconds within which a due task is claimed or a worker ends one, else the workers are blocked.
PATIENCE_SECONDS = 30.0
SILENT = {"stopped", "unresponsive"}


class _Worker(Protocol):
    """A worker as the executor shows it."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str: ...


class Activity:
    """The progress of a scheduler; written by its thread, read by any."""

    def __init__(self) -> None:
        self._failures: dict[str, str] = {}  # note of the failed transaction -> reason
        self._due: float | None = None
        self._moved = time.monotonic()
        self._back_by = math.inf
        self.workers: Callable[[], Sequence[_Worker]] = list
        """Returns the workers as they are now, at once."""

    def failed(self, what: str, why: str) -> None:
        """Note that the transaction *what* failed the last time."""
        self._failures[what] = why

    def succeeded(self, what: str, *, has_written: bool) -> None:
        """Note that *what* succeeded; where it *has_written*, everything can be written again."""
        if self._failures:
            if has_written:
                self._failures.clear()
            self._failures.pop(what, None)

    def note(self, due: float | None, *, has_moved: bool) -> None:
        """Note since when a due task waits, and whether workers took or ended any."""
        self._due = due
        self._back_by = time.monotonic()
        if has_moved:
            self._moved = time.monotonic()

    def rest(self, seconds: float) -> None:
        """Note that the scheduler sleeps for *seconds*; 0 when it has woken up."""
        self._back_by = time.monotonic() + seconds

    def end(self) -> None:
        """Note that the scheduler does not lead any more."""
        self._back_by, self._due = math.inf, None
        self._failures = {}
        self.workers = list

    def complaint(self) -> str:
        """Return the reason why no work is done; empty if work is done."""
        failure = next(iter(self._failures.values()), "")
        if failure:
            return failure
        return self.standstill() or self._of_workers()

    def standstill(self) -> str:
        """Return for how long the scheduler has been at one step; empty if that is not long."""
        late = time.monotonic() - self._back_by
        return (
            f"the scheduler has been at one step for {late:.0f} s"
            if late > PATIENCE_SECONDS
            else ""
        )

    def _of_workers(self) -> str:
        workers = self.workers()
        if workers and all(each.state in SILENT for each in workers):
            return "no worker answers: " + ", ".join(
                f"{each.name} is {each.state}" for each in workers
            )
        due = self._due
        waited = 0.0 if due is None else time.time() - due
        still = time.monotonic() - self._moved
        if min(waited, still) > PATIENCE_SECONDS:
            return f"tasks have been due for {waited:.0f} s, and no worker has taken or ended any"
        return ""
