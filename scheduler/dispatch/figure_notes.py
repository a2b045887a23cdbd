"""The notes of the leader for the figures, which not each tick writes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from scheduler.shelves.figures import EndedAttempt, figures_of
from scheduler.shelves.module import SchedulerModule

# Seconds between two times that they are written, while tasks are at work.
WRITE_SECONDS = 1.0


class FigureNotes:
    """The figures of committed ticks that are not written yet, and those of the present tick.

    They are written by the tick after which nothing is at work, else WRITE_SECONDS after the last
    time; what is not written when the process dies is lost.
    """

    def __init__(self) -> None:
        self.are_open = False
        """Whether committed ticks have brought what is not written."""
        self._ended: list[EndedAttempt] = []
        self._late = 0.0
        self._written = -math.inf
        self._of_tick: tuple[Sequence[EndedAttempt], float] | None = None
        self._writes = False

    def take(self, ended: Sequence[EndedAttempt], late: float) -> None:
        """Note what the present tick brings: attempts that have *ended*, and the longest wait."""
        self._of_tick = (ended, late)

    def write(self, module: SchedulerModule, now: float) -> None:
        """Write them in the present tick, at *now* (since 1970), if it is time for that."""
        is_something = self.are_open or self._of_tick is not None
        is_time = self.rest() <= 0 or len(module.running) == 0
        self._writes = is_something and is_time
        if self._writes:
            ended, late = self._of_tick or ((), 0.0)
            figures_of(module._p_jar).note(
                now, [*self._ended, *ended], len(module.queues), max(self._late, late)
            )

    def committed(self) -> None:
        """Note that the present tick is committed."""
        if self._writes:
            self._ended, self._late, self.are_open = [], 0.0, False
            self._written = time.monotonic()
        elif self._of_tick is not None:
            ended, late = self._of_tick
            self._ended += ended
            self._late = max(self._late, late)
            self.are_open = True
        self._of_tick, self._writes = None, False

    def rest(self) -> float:
        """Return for how many seconds they need not be written."""
        return self._written + WRITE_SECONDS - time.monotonic()
