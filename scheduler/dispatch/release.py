"""The release of an ended task: its unique key is free, and its flow goes on."""

from __future__ import annotations

import logging

from scheduler.dispatch.flows import Flows
from scheduler.dispatch.steps import Steps
from scheduler.shelves.module import SchedulerModule
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle

log = logging.getLogger(__name__)


class Release:
    """Releases ended tasks of *module*, in the transaction of the present tick.

    Each part is a step of its own: a task is settled even where its key or its *flows* cannot be
    read.
    """

    def __init__(self, module: SchedulerModule, steps: Steps, flows: Flows) -> None:
        self._module = module
        self._steps = steps
        self.flows = flows

    def release(self, task: BaseTask) -> None:
        """Free the unique key of *task*, and note in its flow that it has not finished."""
        self.free_key(task)
        group = TaskHandle(task).group
        self.flows.note_end(task.getId() or 0, group, has_finished=False)

    def free_key(self, task: BaseTask) -> None:
        """Free the unique key of *task*."""

        def failed(error: Exception) -> None:
            log.error("the unique key of task %s is not known: %s", task.getId(), reason_of(error))

        self._steps.take(lambda: self._module.unique.release(task), failed)
