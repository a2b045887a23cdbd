"""Following: what becomes of the tasks bound to an object, from the object as it is now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ZODB.utils import u64

from scheduler.clock import nowutc
from scheduler.dispatch.steps import Steps
from scheduler.inbox.bindings import bindings_of
from scheduler.inbox.spool import FOLLOW
from scheduler.shelves.module import SchedulerModule
from scheduler.states import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
)
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.handle import FollowingHandle, TaskHandle

log = logging.getLogger(__name__)


class Rebinding:
    """Puts bound tasks where their objects want them, in the transaction of the present tick.

    The instruction carries no difference: the present state of the object decides. So it does not
    matter how often, in which order, or how late the instruction is carried out.
    """

    def __init__(
        self, module: SchedulerModule, catch_up: Callable[[BaseTask], None], steps: Steps
    ) -> None:
        self._module = module
        self._steps = steps
        self._catch_up = catch_up
        self._bindings = bindings_of(module._p_jar)

    def bind(self, task: FollowingTask) -> bool:
        """Bind *task*, which comes out of the spool; say whether there is a date for it."""
        handle = FollowingHandle(task)
        self._bindings.add(task, handle.subject)
        wanted = handle.wanted_on()
        if wanted is None and TaskHandle(task).status == TASK_STATUS_SPOOLED:
            handle.rest()
        elif wanted is not None:
            handle.date = wanted
        return wanted is not None

    def release(self, task: FollowingTask) -> None:
        """Unbind *task* from its object."""
        self._bindings.remove(task, FollowingHandle(task).subject)

    def follow(self, subject: Any) -> None:
        """Put the tasks that are bound to *subject* where it wants them."""
        for task in self._bindings.of(subject):
            self._steps.take(partial(self._place, task), partial(self._not_placed, task))

    def _not_placed(self, task: FollowingTask, error: Exception) -> None:
        log.error("task %d cannot follow its object: %s", u64(task._p_oid), reason_of(error))

    def _place(self, task: FollowingTask) -> None:
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_RUNNING:
            self._module.postpone(task.getId() or 0, FOLLOW, FollowingHandle(task).subject)
            return
        wanted = FollowingHandle(task).wanted_on()
        if status in (TASK_STATUS_SPOOLED, TASK_STATUS_ABORTED) or task.isPaused():
            return
        if status == TASK_STATUS_QUEUED:
            if wanted != FollowingHandle(task).date:
                self._module.queues.remove(task)
                self._wait(task, wanted)
        elif wanted is not None and _is_new(wanted, task):
            if status != TASK_STATUS_NONE:
                self._module.take_from_index(task, status)
            task.reset()
            self._wait(task, wanted)

    def _wait(self, task: FollowingTask, wanted: float | None) -> None:
        if wanted is None:
            FollowingHandle(task).rest()
        else:
            FollowingHandle(task).wait_for(wanted)
            self._module.queues.add(task, wanted)


def _is_new(wanted: float, task: FollowingTask) -> bool:
    met = FollowingHandle(task).met
    if met is None:
        return True
    return wanted != met and wanted > nowutc().timestamp()
