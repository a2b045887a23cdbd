"""The release of an ended task: its unique key is free, and its group notes its end."""

from __future__ import annotations

import logging

from persistent import Persistent

from scheduler.dispatch.steps import Steps
from scheduler.shelves.module import SchedulerModule
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.handle import TaskHandle

log = logging.getLogger(__name__)


class Release:
    """Releases ended tasks of *module*, in the transaction of the present tick.

    Each part is a step of its own: a task is settled even where its key or its group cannot be
    read.
    """

    def __init__(self, module: SchedulerModule, steps: Steps) -> None:
        self._module = module
        self._steps = steps

    def release(self, task: BaseTask) -> None:
        """Free the unique key of *task*, and note in its group that it has not finished."""
        self.free_key(task)
        self.note(TaskHandle(task).group, task.getId() or 0, has_finished=False)

    def free_key(self, task: BaseTask) -> None:
        """Free the unique key of *task*."""

        def failed(error: Exception) -> None:
            log.error("the unique key of task %s is not known: %s", task.getId(), reason_of(error))

        self._steps.take(lambda: self._module.unique.release(task), failed)

    def note(self, group: TaskGroup | None, tid: int, *, has_finished: bool) -> None:
        """Note in *group*, if there is one, that task *tid* has ended."""
        if group is None:
            return

        def failed(error: Exception) -> None:
            log.error("a group cannot note that task %d has ended: %s", tid, reason_of(error))
            if isinstance(group, Persistent) and group._p_oid is not None:
                self._module.set_aside(group, reason_of(error))

        self._steps.take(lambda: group.note(self._module._p_jar, tid, has_finished), failed)
        self._steps.has_more = True
