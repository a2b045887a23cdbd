"""The replacement of workers, one after the other, by such with the present code."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from scheduler.executors.worker_process import WorkerProcess

log = logging.getLogger(__name__)

# Seconds that a replacement waits for the one before; a worker with a longer task is passed by.
LONG_TASK_SECONDS = 10.0


class Replacement:
    """The workers that are still to be replaced; its caller fills the slots that become vacant."""

    def __init__(self) -> None:
        self._outdated: list[WorkerProcess] = []
        self._last = -LONG_TASK_SECONDS

    def begin(self, workers: Collection[WorkerProcess]) -> None:
        """Replace these *workers*."""
        self._outdated = list(workers)

    @property
    def is_at_work(self) -> bool:
        """Whether one of them has not been asked to end."""
        return any(not (each.is_lost or each.is_retired) for each in self._outdated)

    def go_on(self, workers: Collection[WorkerProcess], *, is_full: bool) -> bool:
        """Retire the next one, if all *workers* take claims and *is_full*: no slot is vacant.

        Return whether one was retired.
        """
        self._outdated = [each for each in self._outdated if not (each.is_lost or each.is_retired)]
        is_patient = time.monotonic() < self._last + LONG_TASK_SECONDS
        is_complete = is_full and all(each.can_take for each in workers)
        if self._outdated and (is_complete or not is_patient):
            self._last = time.monotonic()
            log.info("worker %s is replaced", self._outdated[0])
            self._outdated[0].retire()
            return True
        return False
