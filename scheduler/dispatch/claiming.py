"""Claiming: the tasks that are due are taken out of their queues and given to workers."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from persistent import Persistent
from ZODB.utils import u64

from scheduler.dispatch.signalling import Signalling
from scheduler.dispatch.steps import Steps
from scheduler.inbox.claims import Claim
from scheduler.shelves.module import SchedulerModule
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask

log = logging.getLogger(__name__)


class Claiming:
    """Gives out the tasks of *module*, in the transaction of the present tick."""

    def __init__(self, module: SchedulerModule, steps: Steps) -> None:
        self._module = module
        self._steps = steps
        self._signalling = Signalling(module, steps)
        self._fresh: dict[bytes, tuple[float, BaseTask]] = {}  # by object id: due at once

    def add(self, task: BaseTask, due: float) -> None:
        """Hold *task*, which is due, for the workers rather than to put it in the queue."""
        self._fresh[task._p_oid] = (due, task)

    def queue(self, task: BaseTask) -> None:
        """Put *task* in the queue after all, if it is held for the workers."""
        due, _ = self._fresh.pop(task._p_oid, (None, None))
        if due is not None:
            self._module.queues.add(task, due)

    def queue_all(self) -> None:
        """Put all tasks that are held for the workers in the queue."""
        for due, task in sorted(self._fresh.values()):
            self._queue(due, task)
        self._fresh.clear()

    def claim(self, now: float, room: int, caps: Mapping[str, int]) -> list[Claim]:
        """Give out the tasks that are due at *now* (since 1970), at most *room*.

        Of the room that more urgent ones leave, other queues get half, as long as something is
        due in the ordinary one. *caps* says how many of a queue this scheduler runs.
        """

        def take(room: int, least: float, most: float) -> list[Any]:
            take_some = self._module.backlog.take
            return self._read(lambda: take_some(now, room, least, most, caps))

        tasks = take(room, 1, math.inf)
        tasks += take(-(-(room - len(tasks)) // 2), 0, 0)
        tasks += self._take_ordinary(now, room - len(tasks))
        tasks += take(room - len(tasks), -math.inf, 0)
        running = self._module.running
        claims = [running.add(task, now) for task in tasks if _is_stored(task)]
        self._signalling.leave([claim.tid for claim in claims])
        return claims

    def _take_ordinary(self, now: float, room: int) -> list[Any]:
        # A due task that has just come out of the spool goes straight to a worker if there is
        # room: its time in the queue, which is none, need not be written.
        queue = self._module.getWaitingQueue()
        tasks = self._read(lambda: queue.pop_due(now, room)) if room > 0 else []
        fresh = sorted(self._fresh.values())
        self._fresh.clear()
        straight = max(0, room - len(tasks))
        for due, task in fresh[straight:]:
            self._queue(due, task)
        tasks.extend(task for _, task in fresh[:straight])
        return tasks

    def _read(self, take: Callable[[], list[Any]]) -> list[Any]:
        def failed(error: Exception) -> list[Any]:
            log.error("a queue cannot be read: %s", reason_of(error))
            return []

        return self._steps.take(take, failed)

    def _queue(self, due: float, task: BaseTask) -> None:
        wait = partial(self._module.queues.add, task, due)
        self._steps.take(wait, partial(self._quarantine, task))

    def _quarantine(self, task: BaseTask, error: Exception) -> None:
        log.error("task %d cannot be queued: %s", u64(task._p_oid), reason_of(error))
        self._module.set_aside(task, reason_of(error))


def _is_stored(task: Any) -> bool:
    if isinstance(task, Persistent) and task._p_oid is not None:
        return True
    log.error("a %s stood in a queue in the place of a task", type(task).__name__)
    return False
