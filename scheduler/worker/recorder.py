"""The recorder of a worker's attempts: how each ended, stored with its task."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

from transaction.interfaces import TransientError

from scheduler.clock import nowutc, within_calendar
from scheduler.retry import Retry, TaskDelayed, paced
from scheduler.runtime.code_version import code_version
from scheduler.runtime.context import AttemptContext
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, TASK_STATUS_QUEUED
from scheduler.storage.outage import is_transient, outage_text
from scheduler.tasks.attempt import MESSAGE_KEPT, TRACEBACK_KEPT, Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.worker.ending import Ending, event_of
from scheduler.worker.failure import fail, named, one_line

Record: TypeAlias = Callable[[], Ending | None]
"""Records an attempt with its task; returns what is to be told of it after the commit."""

# Seconds that a task waits after conflicts only, by how many there were in a row.
AFTER_CONFLICTS = Retry(first=1, longest=60)


class AttemptRecorder:
    """Prepares the records of the attempts of one *worker*, one attempt after the other.

    A record is made as late as the commit: until then the effects of later attempts in the
    same transaction may be rolled back, and each savepoint would write the task once more.
    """

    def __init__(self, worker: str, max_tries: int) -> None:
        self._worker = worker
        self._max_tries = max_tries
        self.snapshot = 0
        """The number of the last transaction that the attempts see."""
        self.run: AttemptContext | None = None
        """The run of the present attempt, if there is one."""
        self.started = nowutc()
        """When the present attempt began."""

    def begin(self) -> None:
        """Note that an attempt begins."""
        self.run = None
        self.started = nowutc()

    def finished(self, task: BaseTask, result: Any) -> Record:
        """Return what records that the run of *task* succeeded with *result*."""
        attempt = self._attempt(task, TASK_STATUS_FINISHED)

        def finish() -> Ending:
            TaskHandle(task).finish(attempt, result)
            return Ending(event=event_of(task, attempt))

        return finish

    def ended_by(self, task: BaseTask, error: BaseException) -> Record:
        """Return what records that the run of *task* ended with *error*.

        The texts are made now, before the effects of the run are rolled back.
        """
        if isinstance(error, TaskDelayed):
            put_off = self._attempt(task, TASK_STATUS_QUEUED, str(error))
            wait = paced(max(0.0, error.delaySeconds), TaskHandle(task).times_put_off() + 1)
            until = within_calendar(put_off.ended.timestamp() + wait)
            return lambda: TaskHandle(task).delay(put_off, until)
        text = "".join(traceback.format_exception(error))[-TRACEBACK_KEPT:]
        message = f"{type(error).__name__}: {error}"[:MESSAGE_KEPT]
        attempt = self._attempt(task, TASK_STATUS_FAILED, message, text)
        return lambda: fail(task, attempt, error, self._max_tries)

    def uncommitted(self, task: BaseTask, problem: BaseException) -> Record:
        """Return what records that *problem* kept the run of *task* from being committed.

        Conflicts and outages put the task off; anything else is its own failure.
        """
        if not is_transient(problem):
            return self.ended_by(task, problem)
        wait = 0.0
        if isinstance(problem, TransientError):
            why = f"conflicts, one after the other, the last: {problem}"
            wait = AFTER_CONFLICTS.wait(TaskHandle(task).times_put_off() + 1)
        else:
            why = outage_text(problem)
        attempt = self._attempt(task, TASK_STATUS_QUEUED, why[:MESSAGE_KEPT])

        def put_off() -> Ending:
            TaskHandle(task).delay(attempt, attempt.ended.timestamp() + wait)
            text = f"{named(task)} is put off for {wait:.1f} s: {one_line(why)}"
            return Ending(logging.WARNING, text)

        return put_off

    def _attempt(self, task: BaseTask, state: int, message: str = "", text: str = "") -> Attempt:
        return Attempt(
            TaskHandle(task).tries + 1,
            self.started,
            nowutc(),
            state,
            message,
            text,
            self._worker,
            code_version(name_of(task)),
            self._lines(task),
            self.snapshot,
        )

    def _lines(self, task: BaseTask) -> tuple[str, ...]:
        # The last run of a transaction with several attempts may be that of another task.
        if self.run is None or self.run.claim.tid != task.getId():
            return ()
        return self.run.lines()
