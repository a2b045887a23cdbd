"""The recorder of a worker's attempts: how each ended, stored with its task."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

from transaction.interfaces import TransientError

from scheduler.clock import later, nowutc, within_calendar
from scheduler.errors import HardLimitReached
from scheduler.runtime.code_version import code_version
from scheduler.runtime.context import AttemptContext
from scheduler.states import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
    TASK_STATUS_TERMINATED,
)
from scheduler.storage.outage import is_transient, outage_text
from scheduler.tasks.attempt import MESSAGE_KEPT, TRACEBACK_KEPT, Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.retry import Retry, TaskDelayed, paced
from scheduler.tasks.signal_wait import WaitForSignal
from scheduler.worker.ending import Ending, event_of
from scheduler.worker.failure import fail, named, one_line, own_tries, terminate
from scheduler.worker.measure import seconds_waited

Record: TypeAlias = Callable[[], Ending | None]
"""Records an attempt with its task; returns its ending, for log and hooks after the commit."""

# Seconds that a task waits after conflicts only, by how many there were in a row.
AFTER_CONFLICTS = Retry(first=1, longest=60)
# How the records begin of attempts that met conflicts or an outage only.
CONFLICTS = "conflicts"
NOT_ITS_FAULT = (CONFLICTS, "the database ")
# How often in a row a task is put off before it is taken for the cause: by conflicts over an
# object, and by errors that name none, which its own code may have raised.
CONFLICTS_ALLOWED = 19
ERRORS_ALLOWED = 3


def _allowed(problem: BaseException) -> int:
    """Return how often in a row *problem* may put a task off."""
    is_over_object = getattr(problem, "oid", None) is not None
    return CONFLICTS_ALLOWED if is_over_object else ERRORS_ALLOWED


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

    def has_one_try(self, task: BaseTask) -> bool:
        """Return whether *task* is never tried again."""
        return (own_tries(task) or self._max_tries) == 1

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
        if isinstance(error, WaitForSignal):
            waiting = self._attempt(task, TASK_STATUS_QUEUED, str(error)[:MESSAGE_KEPT])
            end = None if error.timeout is None else later(waiting.ended, error.timeout)
            until_end = None if end is None else end.timestamp()
            return lambda: TaskHandle(task).wait_for(waiting, error.name, until_end)
        if isinstance(error, HardLimitReached):
            overdue = self._attempt(task, TASK_STATUS_TERMINATED, str(error))
            return lambda: terminate(task, overdue)
        text = "".join(traceback.format_exception(error))[-TRACEBACK_KEPT:]
        message = f"{type(error).__name__}: {error}"[:MESSAGE_KEPT]
        attempt = self._attempt(task, TASK_STATUS_FAILED, message, text)
        return lambda: fail(task, attempt, error, self._max_tries)

    def uncommitted(self, task: BaseTask, problem: BaseException, *, works: bool) -> Record:
        """Return what records that *problem* kept the run of *task* from being committed.

        Conflicts and outages put the task off, each time for longer; anything else is its own
        failure. So are they where it meets nothing else and the database *works*.
        """
        times = TaskHandle(task).times_put_off(NOT_ITS_FAULT) + 1
        if not is_transient(problem) or (works and times > _allowed(problem)):
            return self.ended_by(task, problem)
        if isinstance(problem, TransientError):
            why = f"{CONFLICTS}, one after the other, the last: {problem}"
            wait = AFTER_CONFLICTS.wait(times)
        else:
            why = outage_text(problem)
            wait = AFTER_CONFLICTS.wait(times - 1) if times > 1 else 0.0
        attempt = self._attempt(task, TASK_STATUS_QUEUED, why[:MESSAGE_KEPT])

        def put_off() -> Ending:
            TaskHandle(task).delay(attempt, attempt.ended.timestamp() + wait)
            text = f"{named(task)} is put off for {wait:.1f} s: {one_line(why)}"
            return Ending(logging.WARNING, text)

        return put_off

    def _attempt(self, task: BaseTask, state: int, message: str = "", text: str = "") -> Attempt:
        run = self._run_of(task)
        return Attempt(
            TaskHandle(task).tries + 1,
            self.started,
            nowutc(),
            state,
            message,
            text,
            self._worker,
            code_version(name_of(task)),
            () if run is None else run.lines(),
            self.snapshot,
            round(seconds_waited(task, self.started), 3),
            () if run is None else run.sent(),
        )

    def _run_of(self, task: BaseTask) -> AttemptContext | None:
        # The last run of a transaction with several attempts may be that of another task.
        return None if self.run is None or self.run.claim.tid != task.getId() else self.run
