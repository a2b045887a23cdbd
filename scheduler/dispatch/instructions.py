"""Directing: what clients say of tasks that wait, and of queues, is carried out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from scheduler.clock import stamp
from scheduler.inbox import spool
from scheduler.queue import NEVER_DUE
from scheduler.shelves.module import SchedulerModule
from scheduler.states import TASK_STATUS_QUEUED, TASK_STATUS_RUNNING
from scheduler.tasks.base import BaseTask
from scheduler.tasks.recurring import RecurringTask, unpacked
from scheduler.values.rate_limit import Limit

log = logging.getLogger(__name__)


class Instructions:
    """Moves tasks within the queues of *module*, in the transaction of the present tick.

    *catch_up* puts a task on its shelf whose run is over, *take_up* takes one out of quarantine.
    """

    def __init__(
        self,
        module: SchedulerModule,
        catch_up: Callable[[BaseTask], None],
        take_up: Callable[[BaseTask], None],
    ) -> None:
        self._module = module
        self._catch_up = catch_up
        self._take_up = take_up

    def change(self, change: tuple[datetime, BaseTask]) -> None:
        """Give a waiting task another date; one in quarantine goes on with it."""
        date, task = change
        if task._p_oid in self._module.quarantine:
            task.setStartOn(date)
            task._set_retry(None)
            self._take_up(task)
            return
        self._catch_up(task)
        status = task.getStatus()
        if status != TASK_STATUS_QUEUED:
            log.warning("%r is not moved to %s: it does not wait", task, date)
            return
        task.setStartOn(date)
        task._set_retry(None)
        if not task.isPaused():
            self._move_to(task, stamp(date))

    def pause(self, task: BaseTask | None) -> None:
        """Let *task* wait until it is resumed; None stands for the whole scheduler."""
        if task is None:
            self._module.is_paused = True
        elif self._waits(task, spool.PAUSE, task):
            self._move_to(task, NEVER_DUE)

    def resume(self, task: BaseTask | None) -> None:
        """Let *task* go on, which was paused; None stands for the whole scheduler."""
        if task is None:
            self._module.is_paused = False
        elif self._waits(task, spool.RESUME, task) and task.isPaused():
            self._module.unqueue(task)
            self._module.queue(task)

    def reschedule(self, change: tuple[tuple[Any, ...], RecurringTask]) -> None:
        """Let a task go on by another schedule."""
        stored, task = change
        if not self._waits(task, spool.RESCHEDULE, change):
            return
        is_paused = task.isPaused()
        self._module.unqueue(task)
        task.setSchedule(unpacked(stored))
        task._set_retry(None)
        self._module.queue(task)
        if is_paused and task.getStatus() == TASK_STATUS_QUEUED:
            self._move_to(task, NEVER_DUE)

    def limit(self, change: tuple[str, tuple[Any, ...]]) -> None:
        """Limit a queue."""
        name, limit = change
        self._module.backlog.limit(name, Limit(*limit))

    def _waits(self, task: BaseTask, op: str, obj: Any) -> bool:
        """Say whether *task* stands in the queue; for a running one, keep the instruction."""
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_RUNNING:
            self._module.postpone(task.getId() or 0, op, obj)
        elif status != TASK_STATUS_QUEUED:
            log.warning("%r does not wait: %r is passed over", task, op)
        return status == TASK_STATUS_QUEUED

    def _move_to(self, task: BaseTask, due: float) -> None:
        self._module.unqueue(task)
        self._module.wait(task, due)
