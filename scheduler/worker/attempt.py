"""The attempt: one execution of a claimed task, from top to bottom.

`Attempts.make` loads the task, decides whether it is run, runs it and prepares its record; the
effects then stand in the open transaction, beside those of other attempts. `commit` records
the attempts, commits them together and reports their outcomes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from transaction.interfaces import TransientError
from ZODB.Connection import Connection

from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import spool_of
from scheduler.runtime.context import AttemptContext, AttemptReport, Begun, set_current_run
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.runtime.output import end_lines
from scheduler.store.commit import commit_lazily, reach_disk
from scheduler.store.overlay import snapshot_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.result import is_small
from scheduler.tasks.size import refuse_large
from scheduler.worker import outside
from scheduler.worker.claimed_task import UnloadableError, claimed_task
from scheduler.worker.commit_signature import CommitWatch, Signature, sign, signature_of
from scheduler.worker.ending import Ending
from scheduler.worker.heartbeat import WorkerHeartbeat
from scheduler.worker.measure import Measure, seconds_waited
from scheduler.worker.outcome import Outcome, measured, outcome_of
from scheduler.worker.recorder import AttemptRecorder, Record
from scheduler.worker.transaction_guard import Guard, Unclean

log = logging.getLogger(__name__)

LONGEST_LIMIT = 1e9


class OpenAttempt(NamedTuple):
    """An attempt whose effects stand in the open transaction, and whose record is to be made."""

    claim: Claim
    task: BaseTask | None
    """The task; None for one that could not be loaded."""
    record: Record
    signature: Signature
    unloadable: str = ""
    """Why the task could not be loaded, if it could not."""
    measure: Measure | None = None
    """The attempt in numbers; None where the task was not run."""


class SharedTransactionError(TransientError):
    """An attempt that shares its transaction asks for a checkpoint: it is to be made alone."""


class Attempts:
    """Makes attempts at claimed tasks on one connection, in its thread, under a *guard*.

    *report* is called with reports of an attempt before it has ended; *heartbeat* shows which
    claims have begun.
    """

    def __init__(
        self,
        connection: Connection,
        guard: Guard,
        recorder: AttemptRecorder,
        report: Callable[[AttemptReport], None],
        heartbeat: WorkerHeartbeat,
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._recorder = recorder
        self._report = report
        self._heartbeat = heartbeat
        self._watch: CommitWatch | None = None
        self._made = 0  # in the present transaction
        self.lone: set[str] = set()
        """The classes, and functions, of attempts that have made checkpoints."""
        self.seconds: dict[str, float] = {}
        """How long the last attempt took of each class, and of each function."""

    def begin(self) -> None:
        """Begin a transaction for attempts."""
        self._guard.begin()
        self._heartbeat.begin()
        self._recorder.snapshot = snapshot_of(self._connection)
        self._made = 0
        outside.forget()

    def make(self, claim: Claim) -> OpenAttempt:
        """Make an attempt at the task of *claim*; raises errors that are not the task's own."""
        self._made += 1
        self._recorder.begin()
        self._watch = None
        try:
            task = self._load(claim)
        except UnloadableError as error:
            return OpenAttempt(claim, None, _nothing, signature_of(claim.tid, None), str(error))
        record = self._decide(claim, task)
        measure = None
        if record is None:
            if self._recorder.has_one_try(task):
                reach_disk(self._connection)  # else a power cut might forget that it has begun
            waited = seconds_waited(task, self._recorder.started)
            record = self._run(claim, task)
            measure = self._measure(task, waited)
        changed = () if self._watch is None else self._watch.changed()
        signature = signature_of(claim.tid, task, changed)
        return OpenAttempt(claim, task, record, signature, measure=measure)

    def _load(self, claim: Claim) -> BaseTask:
        self._heartbeat.load(claim.number)
        return claimed_task(self._connection, claim)

    def _decide(self, claim: Claim, task: BaseTask) -> Record | None:
        """Return the record that takes the place of a run; None for a run."""
        if TaskHandle(task).settled >= claim.number:
            # Committed before, but not reported; or taken from this worker meanwhile.
            return _nothing
        instead = TaskHandle(task).instead_of_run(self._recorder.started)
        if instead is not None:
            log.info("%r is not run at this date", task)
        return instead

    def _run(self, claim: Claim, task: BaseTask) -> Record:
        began = time.monotonic()
        run = self._recorder.run = self._context(claim, task)
        set_current_run(run)
        try:
            with REGISTRY.around(task):
                self._guard.enter()
                record = self._work(task)
                self._tear_down(task)
        finally:
            end_lines()
            set_current_run(None)
            run.close()
            self._heartbeat.done()
            self.seconds[name_of(task)] = time.monotonic() - began
        return record

    def _measure(self, task: BaseTask, waited: float) -> Measure:
        """Return the measure of the attempt at *task*, which is not recorded yet."""
        name = name_of(task)
        number = TaskHandle(task).tries + 1
        return Measure(name, task.queueName, number, waited, self.seconds.get(name, 0.0))

    def _context(self, claim: Claim, task: BaseTask) -> AttemptContext:
        soft_limit = _seconds(task.softLimit, "softLimit")
        hard_limit = _seconds(task.hardLimit, "hardLimit")
        if hard_limit is not None:
            self._report(Begun(claim, hard_limit))
        ids = {
            "task_id": claim.tid,
            "task_class": TaskHandle(task).short_name,
            "attempt": TaskHandle(task).tries + 1,
            "queue": task.queueName,
        }
        snapshot = self._recorder.snapshot
        return AttemptContext(
            *(claim, soft_limit, self._report, snapshot, ids),
            task=task,
            hard_limit=hard_limit,
            checkpoint=partial(self._checkpoint, claim, task),
            keys_used=TaskHandle(task).keys_used,
        )

    def _checkpoint(self, claim: Claim, task: BaseTask, state: Any) -> None:
        """Commit what the attempt at *task* has done so far, fenced as its end is."""
        self.lone.add(name_of(task))
        if self._made > 1:
            raise SharedTransactionError
        refuse_large(state, "the state of the checkpoint", spool_of(self._connection).max_size)
        run = self._recorder.run
        if run is not None:
            closed = TaskHandle(task).closed(state)
            TaskHandle(task).keep_checkpoint(claim.number, closed, run)
        changed = () if self._watch is None else self._watch.changed()
        self._guard.unit.note(f"checkpoint of task {claim.tid}")
        sign(self._guard.unit, [signature_of(claim.tid, task, changed)])
        self._guard.commit_part()
        self._recorder.snapshot = snapshot_of(self._connection)
        self._watch = CommitWatch(self._connection)

    def _work(self, task: BaseTask) -> Record:
        start = self._guard.start()
        self._watch = CommitWatch(self._connection)
        try:
            if type(task).prepare is not BaseTask.prepare:
                self._guard.call(self._noted(task.prepare), start)
                start = self._guard.start()
            result = self._guard.call(self._noted(TaskHandle(task).work), start)
            result = TaskHandle(task).closed(result)
            self._refuse_large(task, result)
        except (TransientError, Unclean):
            raise
        except BaseException as error:  # noqa: BLE001 (even SystemExit ends the run only)
            record = self._recorder.ended_by(task, error)
            self._guard.undo(start, error)
            return record
        return self._recorder.finished(task, result)

    def _noted(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Return *work* with the note before it from which on a lost worker costs a try."""

        def noted() -> Any:
            self._heartbeat.run()
            with outside.watching():
                return work()

        return noted

    def _refuse_large(self, task: BaseTask, result: object) -> None:
        if is_small(result) and not task._p_changed:
            return
        limit = spool_of(self._connection).max_size
        refuse_large(result, "the result", limit)
        if task._p_changed:
            TaskHandle(task).refuse_large(limit)

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

    def commit(self, attempts: list[OpenAttempt], *, is_lazy: bool = False) -> list[Outcome]:
        """Record *attempts*, commit them together, and report their outcomes.

        A lazy commit is not on the disk yet, see `scheduler.store.commit.reach_disk`.
        """
        self._heartbeat.commit()
        endings = [_recorded(attempt) for attempt in attempts]
        unit = self._guard.unit
        unit.note(", ".join(f"task {attempt.claim.tid}" for attempt in attempts[:3]))
        sign(unit, [attempt.signature for attempt in attempts])
        if is_lazy:
            commit_lazily(unit)
        began = time.monotonic()
        self._guard.commit()
        seconds = time.monotonic() - began
        _announce(endings)
        return [_outcome(attempt, seconds, attempts[0]) for attempt in attempts]

    def commit_problem(self, claim: Claim, problem: BaseException, *, works: bool) -> Outcome:
        """Record that *problem* kept the attempt at *claim* from being committed, and commit that.

        *works* says whether the database has shown no outage since.
        Raises UnloadableError where its task cannot be loaded any more.
        """
        self.begin()
        task = claimed_task(self._connection, claim)
        ending = measure = None
        if TaskHandle(task).settled < claim.number:
            measure = self._measure(task, seconds_waited(task, self._recorder.started))
            record = self._recorder.uncommitted(task, problem, works=works)
            TaskHandle(task).settle(claim.number)
            sign(self._guard.unit, [signature_of(claim.tid, task)])
            ending = record()
        self._guard.commit()
        _announce([ending])
        outcome = outcome_of(task, claim)
        return outcome if measure is None else measured(outcome, task, measure)


def _recorded(attempt: OpenAttempt) -> Ending | None:
    task = attempt.task
    if task is None or TaskHandle(task).settled >= attempt.claim.number:
        return None
    ending = attempt.record()
    TaskHandle(task).settle(attempt.claim.number)
    return ending


def _outcome(attempt: OpenAttempt, seconds: float, first: OpenAttempt) -> Outcome:
    """Return the outcome of *attempt*, whose commit took *seconds*; *first* tells of that."""
    if attempt.task is None:
        return Outcome(attempt.claim, unloadable=attempt.unloadable)
    outcome = outcome_of(attempt.task, attempt.claim)
    if attempt.measure is None:
        return outcome
    is_shared = attempt is not first
    return measured(outcome, attempt.task, attempt.measure, seconds, is_shared=is_shared)


def _announce(endings: Iterable[Ending | None]) -> None:
    for ending in endings:
        if ending is not None:
            ending.announce()


def _seconds(limit: object, name: str) -> float | None:
    if limit is None:
        return None
    if not isinstance(limit, int | float) or not limit >= 0:
        raise TypeError(f"{name} is {limit!r}; it must be a number of seconds, or None")
    return float(min(limit, LONGEST_LIMIT))


def _nothing() -> None:
    """Record nothing: the task bears its record already."""
