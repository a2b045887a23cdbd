"""Signalling: tasks that wait for a signal receive it, and go on."""

from __future__ import annotations

import logging
from typing import Any

from scheduler.clock import nowutc
from scheduler.dispatch.steps import Steps
from scheduler.inbox.signals import known_signals, signals_of
from scheduler.inbox.spool import SIGNAL
from scheduler.shelves.module import SchedulerModule
from scheduler.states import TASK_STATUS_QUEUED
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle

log = logging.getLogger(__name__)

# Tasks that receive a signal in one tick.
STEP = 200


class Signalling:
    """Gives signals to tasks, in the transaction of the present tick."""

    def __init__(self, module: SchedulerModule, steps: Steps) -> None:
        self._module = module
        self._steps = steps
        self._now = nowutc().timestamp()

    def give(self, signal: tuple[Any, ...]) -> None:
        """Give a signal, its name and payload, to all tasks that wait for it; else keep it.

        A third part says that it is for the rest of them, of which there may be none.
        """
        name, payload, *rest = signal
        signals = signals_of(self._module._p_jar)
        tids = signals.waiting(name, STEP + 1)
        received = [self._receive(tid, name, payload) for tid in tids[:STEP]]
        if len(tids) > STEP:
            self._steps.has_more = True
            self._module.spool(SIGNAL, (name, payload, "rest"))
        elif not any(received) and not rest:
            signals.keep(name, payload, self._now)

    def wait(self, task: BaseTask, name: str) -> None:
        """Have *task*, which stands in the queue, wait for *name*; one that is kept is given."""
        signals = signals_of(self._module._p_jar)
        signals.wait(task.getId() or 0, name)
        kept = signals.take(name, self._now)
        if kept is not None:
            self._receive(task.getId() or 0, name, kept[0])

    def leave(self, tids: list[int]) -> None:
        """Note that the tasks *tids*, which are claimed, wait no longer."""
        signals = known_signals(self._module._p_jar)
        for tid in tids:
            signals.leave(tid)

    def _receive(self, tid: int, name: str, payload: Any) -> bool:
        signals_of(self._module._p_jar).leave(tid)

        def failed(error: Exception) -> bool:
            log.error("task %d cannot receive the signal %r: %s", tid, name, reason_of(error))
            return False

        return self._steps.take(lambda: self._go_on(tid, name, payload), failed)

    def _go_on(self, tid: int, name: str, payload: Any) -> bool:
        try:
            task = self._module.getTaskById(tid)
        except KeyError:
            return False  # it was deleted meanwhile
        handle = TaskHandle(task)
        if task.getStatus() != TASK_STATUS_QUEUED or handle.awaited != name:
            return False
        is_paused = task.isPaused()
        handle.receive(name, payload, self._now)
        if not is_paused:
            self._module.queues.remove(task)
            self._module.queue(task)
        log.info("%r has received the signal %r", task, name)
        return True
