"""Reclaiming: what is in quarantine goes on when it can be read again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from scheduler.clock import nowutc, stamp
from scheduler.dispatch.flows import Flows
from scheduler.dispatch.steps import Steps
from scheduler.inbox.quarantine import QuarantineEntry
from scheduler.inbox.spool import Instruction
from scheduler.log.codec import entry_of
from scheduler.log.segment import SegmentPage
from scheduler.shelves.module import SchedulerModule
from scheduler.states import (
    ENDED,
    TASK_STATUS_QUEUED,
)
from scheduler.store.missing_class import forget_broken, reason_of, why_unusable
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import Composite
from scheduler.tasks.handle import TaskHandle

log = logging.getLogger(__name__)


def _leave(obj: Any) -> None:
    """Leave *obj* as it is."""


class Reclaiming:
    """Takes objects out of the quarantine of *module*, in the transaction of the present tick.

    *add* queues a task, *perform* carries out an instruction, *flows* go on with what it follows.
    """

    def __init__(
        self,
        module: SchedulerModule,
        steps: Steps,
        add: Callable[[Any], None],
        perform: Callable[[Instruction], None],
        flows: Flows,
    ) -> None:
        self._module = module
        self._steps = steps
        self._flows = flows
        self._add = add
        self._perform = perform

    def reclaim(self, number: int | None = None) -> None:
        """Release all objects that can be read now; only the one with this *number*, if given."""
        for aside in self._module.quarantine:
            forget_broken(aside.obj)
        self._module._p_jar.cacheMinimize()  # and with it, who refers to what is forgotten
        for aside in self._module.aside():
            if number == aside.number:
                self._try(aside, self._give_date)
            elif number is None:
                self._try(aside)

    def take_up(self, task: BaseTask) -> None:
        """Take *task* out of quarantine and queue it; one that had ended is put on its shelf."""
        status = TaskHandle(task).status
        self._module.take_back(task)
        log.warning("task %s was in quarantine and can be read again", task.getId())
        if status in ENDED:
            self._module.shelve(task, task.getEndedOn() or nowutc(), status)
        elif status != TASK_STATUS_QUEUED or not self._module.queues.has(task):
            TaskHandle(task).spool_again()
            self._add(task)
        else:
            self._flows.look_after(task)

    def read_page(self, page: SegmentPage) -> None:
        """Carry out the instructions on a skipped page; raises where it cannot be read."""
        for stored in page.recovered():
            self._perform(Instruction(*entry_of(stored, self._module._p_jar)))

    def _give_date(self, obj: Any) -> None:
        """Make *obj*, which is to be tried again, due now if its own date cannot be used."""
        if not isinstance(obj, BaseTask) or TaskHandle(obj).status in ENDED:
            return
        try:
            stamp(obj.getDueOn() or nowutc())
        except (TypeError, ValueError, OverflowError, OSError):
            TaskHandle(obj).set_retry(nowutc().timestamp())

    def _try(self, aside: QuarantineEntry, prepare: Callable[[Any], None] = _leave) -> None:
        def failed(error: Exception) -> None:
            reason = reason_of(error)
            log.info("object %d stays in quarantine: %s", aside.number, reason)

        def take_back() -> None:
            prepare(aside.obj)
            self._take_back(aside.obj)

        self._steps.take(take_back, failed)

    def _take_back(self, obj: Any) -> None:
        if isinstance(obj, BaseTask):
            self.take_up(obj)
        elif isinstance(obj, Composite):
            self._flows.catch_up(obj)
            self._module.take_back(obj)
        elif isinstance(obj, SegmentPage):
            self.read_page(obj)
            self._module.take_back(obj)
        else:
            raise TypeError(why_unusable(obj))
