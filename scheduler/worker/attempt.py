"""Trials: one run each of a claimed task, whose effects stand in the open transaction."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeAlias

from transaction.interfaces import TransientError
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from scheduler.audit.commit_log import CommitWatch, Signature
from scheduler.clock import nowutc, within_calendar
from scheduler.errors import TaskInconsistentStatusException
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import spool_of
from scheduler.retry import Retry, TaskDelayed, paced, retry_for
from scheduler.runtime.attempt_log import logging_of
from scheduler.runtime.code_version import code_version
from scheduler.runtime.context import AttemptContext, Begun, News
from scheduler.states import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
)
from scheduler.storage.outage import is_transient, outage_text
from scheduler.store.missing_class import forget_broken, reason_of, why_unusable
from scheduler.store.overlay import snapshot_of
from scheduler.tasks.attempt import MESSAGE_KEPT, TRACEBACK_KEPT, Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.naming import name_of, title_of
from scheduler.tasks.result import is_small
from scheduler.tasks.size import refuse_large
from scheduler.worker.guard import Guard, Unclean
from scheduler.worker.heartbeat import Vitals
from scheduler.worker.outcome import check_claim

log = logging.getLogger(__name__)

LONGEST_LIMIT = 1e9


LogLine: TypeAlias = tuple[int, str]
"""A line of the log: its level, and the text."""

# How long a task waits that has met conflicts only, by how often that was.
AFTER_CONFLICTS = Retry(first=1, longest=60)


class AttemptTrace(NamedTuple):
    """A run whose effects stand in the open transaction, and the mark that is still to be made."""

    claim: Claim
    task: BaseTask | None
    mark: Callable[[], LogLine | None]
    """Makes the mark; returns what is to be logged when it is committed."""
    signature: Signature
    unloadable: str = ""


class _UnloadableError(Exception):
    """The task's class or state cannot be loaded."""


class AttemptRunner:
    """Tries claimed tasks on one connection, in its thread; *guard* keeps them from ending that.

    *tell* is called with what is to be known of a run before it has ended.
    """

    def __init__(
        self,
        connection: Connection,
        guard: Guard,
        max_tries: int,
        name: str,
        tell: Callable[[News], None],
        vitals: Vitals,
    ) -> None:
        self._connection = connection
        self._vitals = vitals
        self._guard = guard
        self._max_tries = max_tries
        self._name = name
        self._tell = tell
        self._snapshot = 0
        self._watch = CommitWatch(connection)
        self.seconds: dict[type, float] = {}
        """How long the last run of each class took."""
        self.now: AttemptContext | None = None
        """The run that is going on."""
        self.started = nowutc()
        """When the last run began."""

    def begin(self) -> None:
        """Note what the tries of the transaction that has just begun will see."""
        self._vitals.begin()
        self._snapshot = snapshot_of(self._connection)

    def make(self, claim: Claim) -> AttemptTrace:
        """Run the task of *claim*, if it is to be run now; raises what is no failure of its own."""
        self.now = None
        self.started = now = nowutc()
        self._vitals.load(claim.number)
        try:
            task = self.load(claim)
        except _UnloadableError as error:
            return AttemptTrace(claim, None, _nothing, signature_of(claim.tid, None), str(error))
        if task._settled >= claim.number:
            # Committed before, though nobody heard of it; or taken from this worker meanwhile.
            return AttemptTrace(claim, task, _nothing, signature_of(claim.tid, task))
        instead = task._instead_of_run(now)
        if instead is not None:
            log.info("%r is not run at this date", task)
            return AttemptTrace(claim, task, instead, signature_of(claim.tid, task))
        mark = self._run_task(claim, task)
        return AttemptTrace(claim, task, mark, signature_of(claim.tid, task, self._watch.changed()))

    def load(self, claim: Claim) -> BaseTask:
        """Return the task of *claim*, loaded."""
        try:
            task = self._connection.get(p64(claim.tid))
            task._p_activate()
        except POSKeyError:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            raise _UnloadableError(reason_of(error)) from error
        if not isinstance(task, BaseTask):
            forget_broken(task)
            raise _UnloadableError(why_unusable(task))
        if not isinstance(task._tries, int):
            raise _UnloadableError(f"_tries is {task._tries!r}, which is no whole number")
        try:
            check_claim(claim, task)
        except TaskInconsistentStatusException as error:
            raise _UnloadableError(str(error)) from error
        return task

    def put_down(self, task: BaseTask, problem: BaseException) -> LogLine | None:
        """Record that the last run could not be committed; return the line for the log.

        Conflicts, and trouble of the database, put it off; by anything else it has failed, or
        asked for that itself.
        """
        if not is_transient(problem):
            return self._mark_of(task, problem)()
        wait = 0.0
        if isinstance(problem, TransientError):
            why = f"conflicts, one after the other, the last: {problem}"
            wait = AFTER_CONFLICTS.wait(task._times_put_off() + 1)
        else:
            why = outage_text(problem)
        now = nowutc()
        attempt = self._attempt(task, now, TASK_STATUS_QUEUED, why[:MESSAGE_KEPT])
        task._delay(attempt, now.timestamp() + wait)
        return logging.WARNING, f"{named(task)} is put off for {wait:.1f} s: {one_line(why)}"

    def _run_task(self, claim: Claim, task: BaseTask) -> Callable[[], LogLine | None]:
        began = time.monotonic()
        soft_limit = _seconds(task.softLimit, "softLimit")
        hard_limit = _seconds(task.hardLimit, "hardLimit")
        ids = {
            "task_id": claim.tid,
            "task_class": type(task).__name__,
            "attempt": task._tries + 1,
            "queue": task.queueName,
        }
        self.now = AttemptContext(claim, soft_limit, self._tell, self._snapshot, ids)
        if hard_limit is not None:
            self._tell(Begun(claim, hard_limit))
        try:
            with logging_of(self.now):
                self._guard.enter()
                mark = self._call(claim, task)
                self._tear_down(task)
        finally:
            self._vitals.done()
            self.seconds[type(task)] = time.monotonic() - began
        return mark

    def _call(self, claim: Claim, task: BaseTask) -> Callable[[], LogLine | None]:
        start = self._guard.start()
        self._watch = CommitWatch(self._connection)
        self._vitals.run()
        try:
            if type(task).prepare is not BaseTask.prepare:
                self._guard.call(task.prepare, start)
                start = self._guard.start()
            result = self._guard.call(task._work, start)
            self._refuse_large(task, result)
        except (TransientError, Unclean):
            raise
        except BaseException as error:  # noqa: BLE001 (even SystemExit ends the run only)
            mark = self._mark_of(task, error)
            self._guard.undo(start, error)
            return mark
        else:
            attempt = self._attempt(task, nowutc(), TASK_STATUS_FINISHED)
            return lambda: task._finish(attempt, result)

    def _refuse_large(self, task: BaseTask, result: object) -> None:
        if is_small(result) and not task._p_changed:
            return
        limit = spool_of(self._connection).max_size
        refuse_large(result, "the result", limit)
        if task._p_changed:
            task._refuse_large(limit)

    def _tear_down(self, task: BaseTask) -> None:
        if type(task).tearDown is BaseTask.tearDown:
            return
        start = self._guard.start()
        try:
            self._guard.call(task.tearDown, start)
        except (TransientError, Unclean):
            raise
        except BaseException as error:
            log.exception("tearDown of %r failed", task)
            self._guard.undo(start, error)

    def _mark_of(self, task: BaseTask, error: BaseException) -> Callable[[], LogLine | None]:
        """Return what records that a run ended with *error*; the text is made now."""
        if isinstance(error, TaskDelayed):
            now = nowutc()
            put_off = self._attempt(task, now, TASK_STATUS_QUEUED, str(error))
            wait = paced(max(0.0, error.delaySeconds), task._times_put_off() + 1)
            until = within_calendar(now.timestamp() + wait)
            return lambda: task._delay(put_off, until)
        attempt, kind = self._failure(task, error), type(error)
        return lambda: fail(task, attempt, kind, self._max_tries)

    def _failure(self, task: BaseTask, error: BaseException) -> Attempt:
        text = "".join(traceback.format_exception(error))[-TRACEBACK_KEPT:]
        message = f"{type(error).__name__}: {error}"[:MESSAGE_KEPT]
        return self._attempt(task, nowutc(), TASK_STATUS_FAILED, message, text)

    def _attempt(
        self,
        task: BaseTask,
        ended: datetime,
        state: int,
        message: str = "",
        text: str = "",
    ) -> Attempt:
        version = code_version(name_of(task))
        lines = self.now.lines() if self.now is not None else ()
        number = task._tries + 1
        return Attempt(
            number,
            self.started,
            ended,
            state,
            message,
            text,
            self._name,
            version,
            lines,
            self._snapshot,
        )


def fail(task: BaseTask, attempt: Attempt, kind: type[BaseException], max_tries: int) -> LogLine:
    """Record a try that failed with an exception of this *kind*; return the line for the log.

    The task is tried again, or has failed when its tries are used up, *max_tries* where nothing
    else is said.
    """
    retry = retry_for(kind, task.retries)
    tries = retry.tries or _own_tries(task) or max_tries
    what = f"{named(task)} failed on try {attempt.number} of {tries}"
    message = one_line(attempt.message)
    if attempt.number < tries:
        wait = paced(retry.wait(attempt.number), attempt.number)
        task._retry(attempt, within_calendar(attempt.ended.timestamp() + wait))
        return logging.WARNING, f"{what}, the next is in {wait:.1f} s: {message}"
    task._end(attempt)
    return logging.ERROR, f"{what}, for good: {message}"


def _own_tries(task: BaseTask) -> int | None:
    """Return `maxTries` of *task*; None where it cannot be used."""
    try:
        tries = task.maxTries
    except Exception as error:  # noqa: BLE001 (it may be a property of the application)
        log.warning("%s has no usable maxTries: %s", named(task), reason_of(error))
        return None
    if tries is None or (isinstance(tries, int) and tries >= 0):
        return tries
    log.warning("%s has maxTries %r; it must be a whole number from 1", named(task), tries)
    return None


def named(task: BaseTask) -> str:
    """Return how the log names *task*: by its number, and its class or the function it calls."""
    return f"task {task.getId()} ({title_of(task)})"


def one_line(text: str) -> str:
    """Return *text* without line breaks: a failure is one line of the log."""
    return " ".join(text.split())


def signature_of(number: int, task: BaseTask | None, changed: tuple[int, ...] = ()) -> Signature:
    """Return what a commit says of the present try of *task*, None for one that is not loaded."""
    if task is None:
        return Signature(number, 0, "", changed)
    return Signature(number, task._tries + 1, code_version(name_of(task)), changed)


def _seconds(limit: object, name: str) -> float | None:
    if limit is None:
        return None
    if not isinstance(limit, int | float) or not limit >= 0:
        raise TypeError(f"{name} is {limit!r}; it must be a number of seconds, or None")
    return float(min(limit, LONGEST_LIMIT))


def _nothing() -> None:
    """Make no mark: the task bears it already."""
