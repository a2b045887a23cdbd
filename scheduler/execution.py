"""The execution of claimed tasks: load, check, run, commit.

Short tasks share a transaction, with a savepoint for each, so that one that fails is undone
alone; what they changed and their finished marks are one commit. When that meets a conflict
they are run again, each in a transaction of its own.
"""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import transaction
from transaction.interfaces import InvalidSavepointRollbackError, TransientError
from ZODB import DB
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from scheduler.blame import Signature, Watch, sign
from scheduler.clock import nowutc
from scheduler.errors import SchedulerException
from scheduler.fights import Fought
from scheduler.guard import Guard
from scheduler.line import Line
from scheduler.outcome import Outcome, outcome_of
from scheduler.retry import TaskDelayed, retry_for
from scheduler.run import Begun, News, Run, keep_log_lines, set_current_run
from scheduler.running import Claim
from scheduler.states import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
)
from scheduler.store import using
from scheduler.store.broken import forget_broken, why_unusable
from scheduler.store.overlay import snapshot_of
from scheduler.store.trouble import give_up, is_passing, is_trouble, pause, told
from scheduler.store.unit import backoff
from scheduler.tasks.attempt import MESSAGE_KEPT, TRACEBACK_KEPT, Attempt
from scheduler.tasks.base import BaseTask
from scheduler.version import code_version

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.03
GROUP_LIMIT = 200
CONFLICT_TRIES = 10


class _Trial(NamedTuple):
    """A run whose effects stand in the open transaction, and the mark that is still to be made."""

    claim: Claim
    task: BaseTask | None
    mark: Callable[[], None]
    signature: Signature
    unloadable: str = ""


class _UnloadableError(Exception):
    """The task's class or state cannot be loaded."""


class Runner:
    """Runs claimed tasks, in the thread that made it, on a connection of its own.

    The connection belongs to the thread's transaction manager, so that whatever else joins
    `transaction.get()` in a task is committed and undone with it. *tell* is called with what
    is to be known of a run before it has ended.
    """

    def __init__(
        self, database: DB, max_tries: int, name: str, tell: Callable[[News], None]
    ) -> None:
        keep_log_lines()
        self._max_tries = max_tries
        self._name = name
        self._tell = tell
        self._connection = database.open()
        self._guard = Guard(self._connection)
        self._snapshot = 0
        self._watch = Watch(self._connection)
        self._seconds: dict[type, float] = {}
        self.held: list[Claim] = []
        self.now: Run | None = None
        """The run that is going on."""

    def close(self) -> None:
        """Give the connection back."""
        give_up(transaction.manager)
        self._guard.release()
        self._connection.close()

    def run(self, first: Claim, line: Line) -> list[Outcome]:
        """Run the task claimed by *first*, and those next in *line* while they are short."""
        self.held = [first]
        with using(self._connection):
            try:
                return self._run_group(first, line)
            except Exception as error:  # noqa: BLE001 (each one is told apart in a run of its own)
                give_up(transaction.manager)
                if is_trouble(error):
                    return [self._record_problem(claim, error) for claim in self.held]
                log.info("%d tasks are run again one by one: %r", len(self.held), error)
                # Of several it is not known which one it was.
                fought = Fought.over(error) if len(self.held) == 1 else None
                return [self._run_alone(claim, fought) for claim in self.held]

    def _run_group(self, first: Claim, line: Line) -> list[Outcome]:
        unit = self._begin()
        self._connection.prefetch([p64(claim.tid) for claim in (first, *line.coming(GROUP_LIMIT))])
        deadline = time.monotonic() + GROUP_SECONDS
        trials: list[_Trial] = []
        claim: Claim | None = first
        while claim is not None:
            # Held here, so that the connection does not have to read it again.
            task = self._find(claim)
            if trials and (_is_alone(task) or not self._is_short(task)):
                # What is done must not wait for it to be committed.
                line.put_back(self.held.pop())
                break
            trials.append(self._try(claim))
            if transaction.get() is not unit:
                raise SchedulerException(f"task {claim.tid} aborted the transaction of its run")
            has_room = len(trials) < GROUP_LIMIT and time.monotonic() < deadline
            claim = line.take() if has_room and not _is_alone(task) else None
            if claim is not None:
                self.held.append(claim)
        return self._commit(trials)

    def _run_alone(self, claim: Claim, fought: Fought | None) -> Outcome:
        for attempt in range(1, CONFLICT_TRIES + 1):
            try:
                self._begin()
                return self._commit([self._try(claim)])[0]._replace(fought=fought)
            except Exception as error:  # noqa: BLE001 (what cannot be committed is a failed try)
                give_up(transaction.manager)
                problem: Exception = error
                fought = Fought.over(error, fought)
                if is_trouble(error) or not isinstance(error, TransientError):
                    break
                time.sleep(backoff(attempt))
        return self._record_problem(claim, problem)._replace(fought=fought)

    def _record_problem(self, claim: Claim, problem: Exception) -> Outcome:
        """Record why a run could not be committed, as soon as something can be.

        It is run again where the database was in trouble, and where not, has failed this try.
        """
        started = nowutc()
        attempt = 0
        while True:
            attempt += 1
            try:
                self._begin()
                task = self._load(claim)
                if task._settled < claim.number:
                    task._settled = claim.number
                    sign(transaction.get(), [signature_of(claim.tid, task)])
                    self._put_down(task, started, problem)
                transaction.commit()
                return outcome_of(task, claim)
            except Exception as error:
                give_up(transaction.manager)
                if is_trouble(error):
                    log.warning("%s; trying again in %g s", told(error), pause(attempt))
                    time.sleep(pause(attempt))
                elif isinstance(error, TransientError) and attempt < CONFLICT_TRIES:
                    time.sleep(backoff(attempt))
                elif self._connection._storage is None:
                    raise  # a task has closed the database: nothing can be run here any more
                else:
                    log.exception("the failure of task %d could not be recorded", claim.tid)
                    return Outcome(claim, unloadable=f"{type(error).__name__}: {error}")

    def _put_down(self, task: BaseTask, started: datetime, problem: Exception) -> None:
        if is_trouble(problem):
            now = nowutc()
            task._delay(
                self._attempt(task, started, now, TASK_STATUS_QUEUED, told(problem)),
                now.timestamp(),
            )
        else:
            self._fail(task, self._failure(task, started, problem), type(problem))

    def _begin(self) -> Any:
        unit = transaction.begin()
        unit.addBeforeCommitHook(self._guard.refuse_commit)
        self._snapshot = snapshot_of(self._connection)
        return unit

    def _commit(self, trials: list[_Trial]) -> list[Outcome]:
        for trial in trials:
            if trial.task is not None and trial.task._settled < trial.claim.number:
                trial.mark()
                trial.task._settled = trial.claim.number
        unit = transaction.get()
        unit.note(", ".join(repr(trial.task) for trial in trials[:3]))
        sign(unit, [trial.signature for trial in trials])
        transaction.commit()
        return [
            Outcome(trial.claim, unloadable=trial.unloadable)
            if trial.task is None
            else outcome_of(trial.task, trial.claim)
            for trial in trials
        ]

    def _try(self, claim: Claim) -> _Trial:
        self.now = None
        try:
            task = self._load(claim)
        except _UnloadableError as error:
            return _Trial(claim, None, _nothing, signature_of(claim.tid, None), str(error))
        if task._settled >= claim.number:
            # Committed before, though nobody heard of it; or taken from this worker meanwhile.
            return _Trial(claim, task, _nothing, signature_of(claim.tid, task))
        now = nowutc()
        instead = task._instead_of_run(now)
        if instead is not None:
            log.info("%r is not run at this date", task)
            return _Trial(claim, task, instead, signature_of(claim.tid, task))
        mark = self._run_task(claim, task, now)
        return _Trial(claim, task, mark, signature_of(claim.tid, task, self._watch.changed()))

    def _load(self, claim: Claim) -> BaseTask:
        try:
            task = self._connection.get(p64(claim.tid))
            task._p_activate()
        except POSKeyError:
            raise
        except Exception as error:
            if is_passing(error):
                raise
            raise _UnloadableError(f"{type(error).__name__}: {error}") from error
        if not isinstance(task, BaseTask):
            forget_broken(task)
            raise _UnloadableError(why_unusable(task))
        return task

    def _run_task(self, claim: Claim, task: BaseTask, started: datetime) -> Callable[[], None]:
        began = time.monotonic()
        self.now = Run(claim, task.softLimit, self._tell)
        set_current_run(self.now)
        if task.hardLimit is not None:
            self._tell(Begun(claim, task.hardLimit))
        try:
            mark = self._call(claim, task, started)
            self._tear_down(task)
        finally:
            set_current_run(None)
            self._seconds[type(task)] = time.monotonic() - began
        return mark

    def _find(self, claim: Claim) -> Any:
        try:
            return self._connection.get(p64(claim.tid))
        except POSKeyError:
            return None

    def _is_short(self, task: Any) -> bool:
        """Say whether the last task of this one's class was short; a new class may be long."""
        return self._seconds.get(type(task), GROUP_SECONDS) < GROUP_SECONDS

    def _call(self, claim: Claim, task: BaseTask, started: datetime) -> Callable[[], None]:
        savepoint = transaction.savepoint(optimistic=True)
        self._watch = Watch(self._connection)
        random.seed(seed_of(claim.tid, self._snapshot))
        try:
            if type(task).prepare is not BaseTask.prepare:
                self._guard.call(task.prepare)
                savepoint = transaction.savepoint(optimistic=True)
            result = self._guard.call(task._work)
        except TransientError:
            raise
        except TaskDelayed as delay:
            _undo(savepoint)
            now = nowutc()
            attempt = self._attempt(task, started, now, TASK_STATUS_QUEUED, message=str(delay))
            until = now.timestamp() + delay.delaySeconds
            return lambda: task._delay(attempt, until)
        except BaseException as error:  # noqa: BLE001 (even SystemExit ends the run only)
            attempt, kind = self._failure(task, started, error), type(error)
            _undo(savepoint)
            return lambda: self._fail(task, attempt, kind)
        else:
            attempt = self._attempt(task, started, nowutc(), TASK_STATUS_FINISHED)
            return lambda: task._finish(attempt, result)

    def _tear_down(self, task: BaseTask) -> None:
        if type(task).tearDown is BaseTask.tearDown:
            return
        savepoint = transaction.savepoint(optimistic=True)
        try:
            self._guard.call(task.tearDown)
        except TransientError:
            raise
        except BaseException:
            log.exception("tearDown of %r failed", task)
            _undo(savepoint)

    def _failure(self, task: BaseTask, started: datetime, error: BaseException) -> Attempt:
        text = "".join(traceback.format_exception(error))[-TRACEBACK_KEPT:]
        message = f"{type(error).__name__}: {error}"[:MESSAGE_KEPT]
        return self._attempt(task, started, nowutc(), TASK_STATUS_FAILED, message, text)

    def _attempt(
        self,
        task: BaseTask,
        started: datetime,
        ended: datetime,
        state: int,
        message: str = "",
        text: str = "",
    ) -> Attempt:
        version = code_version(type(task))
        lines = self.now.lines() if self.now is not None else ()
        number = task._tries + 1
        return Attempt(
            number,
            started,
            ended,
            state,
            message,
            text,
            self._name,
            version,
            lines,
            self._snapshot,
        )

    def _fail(self, task: BaseTask, attempt: Attempt, kind: type[BaseException]) -> None:
        fail(task, attempt, kind, self._max_tries)


def fail(task: BaseTask, attempt: Attempt, kind: type[BaseException], max_tries: int) -> None:
    """Record a try that failed with an exception of this *kind*.

    The task is tried again, or has failed when its tries are used up, *max_tries* where nothing
    else is said.
    """
    retry = retry_for(kind, task.retries)
    tries = retry.tries or task.maxTries or max_tries
    if attempt.number < tries:
        log.warning("%r failed (try %d of %d): %s", task, attempt.number, tries, attempt.message)
        task._retry(attempt, attempt.ended.timestamp() + retry.wait(attempt.number))
    else:
        log.error("%r failed for good: %s", task, attempt.message)
        task._end(attempt)


def seed_of(number: int, snapshot: int) -> int:
    """Return what Python's random numbers begin with in a run of task *number* on *snapshot*."""
    return number ^ snapshot


def signature_of(number: int, task: BaseTask | None, changed: tuple[int, ...] = ()) -> Signature:
    """Return what a commit says of the present try of *task*, None for one that is not loaded."""
    if task is None:
        return Signature(number, 0, "", changed)
    return Signature(number, task._tries + 1, code_version(type(task)), changed)


def _is_alone(task: Any) -> bool:
    # Asked of the class: the task itself is loaded where a failure of that is dealt with.
    kind = type(task)
    return issubclass(kind, BaseTask) and (kind.alone or kind.hardLimit is not None)


def _undo(savepoint: Any) -> None:
    try:
        savepoint.rollback()
    except InvalidSavepointRollbackError:
        # The task ended the transaction itself; the group is run again one by one.
        give_up(transaction.manager)


def _nothing() -> None:
    """Make no mark: the task bears it already."""
