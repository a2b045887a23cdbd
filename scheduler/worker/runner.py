"""The execution of claimed tasks: they are tried, and committed.

Short tasks share a transaction, with a savepoint for each, so that one that fails is undone
alone; what they changed and their finished marks are one commit. When that meets a conflict
they are run again, each in a transaction of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from transaction import Transaction
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from scheduler.audit.commit_log import sign
from scheduler.audit.conflict_stats import ConflictReport
from scheduler.inbox.claims import Claim
from scheduler.runtime.attempt_log import log_tasks
from scheduler.runtime.context import AttemptContext, News
from scheduler.storage import outage_log
from scheduler.storage.outage import is_outage, pause
from scheduler.store import using
from scheduler.store.missing_class import reason_of
from scheduler.store.transact import backoff
from scheduler.tasks.base import BaseTask
from scheduler.worker.attempt import AttemptRunner, AttemptTrace, LogLine, signature_of
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.guard import Guard, Unclean
from scheduler.worker.heartbeat import Vitals
from scheduler.worker.outcome import Outcome, outcome_of

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.03
GROUP_LIMIT = 200
CONFLICT_TRIES = 10


class Runner:
    """Runs claimed tasks, in the thread that made it, on a connection of its own.

    The connection belongs to the thread's transaction manager, so that whatever else joins
    `transaction.get()` in a task is committed and undone with it. *tell* is called with what
    is to be known of a run before it has ended; *vitals* show which claims have begun.
    """

    def __init__(
        self,
        database: DB,
        max_tries: int,
        name: str,
        tell: Callable[[News], None],
        vitals: Vitals | None = None,
    ) -> None:
        log_tasks()
        self._vitals = vitals or Vitals.private()
        self._connection = database.open()
        self._guard = Guard(self._connection)
        self._trials = AttemptRunner(
            self._connection, self._guard, max_tries, name, tell, self._vitals
        )
        self.held: list[Claim] = []

    @property
    def now(self) -> AttemptContext | None:
        """The run that is going on."""
        return self._trials.now

    def close(self) -> None:
        """Give the connection back."""
        self._guard.give_up()
        self._guard.release()
        self._connection.close()

    def run(self, first: Claim, line: ClaimQueue) -> list[Outcome]:
        """Run the task claimed by *first*, and those next in *line* while they are short."""
        self.held = [first]
        with using(self._connection):
            try:
                return self._run_group(first, line)
            except BaseException as error:  # noqa: BLE001 (each one is told apart in a run of its own)
                self._guard.give_up()
                if is_outage(error):
                    return [self._record_problem(claim, error) for claim in self.held]
                if isinstance(error, Unclean) and len(self.held) == 1:
                    return [self._record_problem(first, error.problem)]
                log.info("%d tasks are run again one by one: %r", len(self.held), error)
                # Of several it is not known which one it was.
                fought = ConflictReport.over(error) if len(self.held) == 1 else None
                return [self._run_alone(claim, fought) for claim in self.held]

    def _run_group(self, first: Claim, line: ClaimQueue) -> list[Outcome]:
        unit = self._begin()
        self._connection.prefetch([p64(claim.tid) for claim in (first, *line.coming(GROUP_LIMIT))])
        deadline = time.monotonic() + GROUP_SECONDS
        trials: list[AttemptTrace] = []
        claim: Claim | None = first
        while claim is not None:
            # Held here, so that the connection does not have to read it again.
            task = self._find(claim)
            if trials and (_is_alone(task) or not self._is_short(task)):
                # What is done must not wait for it to be committed.
                line.put_back(self.held.pop())
                break
            trials.append(self._trials.make(claim))
            has_room = len(trials) < GROUP_LIMIT and time.monotonic() < deadline
            claim = line.take() if has_room and not _is_alone(task) else None
            if claim is not None:
                self.held.append(claim)
        return self._commit(unit, trials)

    def _run_alone(self, claim: Claim, fought: ConflictReport | None) -> Outcome:
        for attempt in range(1, CONFLICT_TRIES + 1):
            try:
                unit = self._begin()
                return self._commit(unit, [self._trials.make(claim)])[0]._replace(fought=fought)
            except BaseException as error:  # noqa: BLE001 (what cannot be committed is a failed try)
                self._guard.give_up()
                problem = error.problem if isinstance(error, Unclean) else error
                fought = ConflictReport.over(error, fought)
                if is_outage(error) or not isinstance(error, TransientError):
                    break
                time.sleep(backoff(attempt))
        return self._record_problem(claim, problem)._replace(fought=fought)

    def _record_problem(self, claim: Claim, problem: BaseException) -> Outcome:
        """Record why a run could not be committed, as soon as something can be.

        It is run again after conflicts and trouble of the database, else it has failed this try.
        """
        attempt = 0
        while True:
            attempt += 1
            line: LogLine | None = None
            try:
                unit = self._begin()
                task = self._trials.load(claim)
                if task._settled < claim.number:
                    task._settle(claim.number)
                    sign(unit, [signature_of(claim.tid, task)])
                    line = self._trials.put_down(task, problem)
                self._guard.commit()
                if line is not None:
                    log.log(*line)
                return outcome_of(task, claim)
            except Exception as error:
                self._guard.give_up()
                if is_outage(error):
                    outage_log.met(error)
                    time.sleep(pause(attempt))
                elif isinstance(error, TransientError) and attempt < CONFLICT_TRIES:
                    time.sleep(backoff(attempt))
                elif self._connection._storage is None:
                    raise  # a task has closed the database: nothing can be run here any more
                else:
                    log.exception("the failure of task %d could not be recorded", claim.tid)
                    return Outcome(claim, unloadable=reason_of(error))

    def _begin(self) -> Transaction:
        unit = self._guard.begin()
        self._trials.begin()
        return unit

    def _commit(self, unit: Transaction, trials: list[AttemptTrace]) -> list[Outcome]:
        self._vitals.commit()
        lines: list[LogLine | None] = []
        for trial in trials:
            if trial.task is not None and trial.task._settled < trial.claim.number:
                lines.append(trial.mark())
                trial.task._settle(trial.claim.number)
        unit.note(", ".join(f"task {trial.claim.tid}" for trial in trials[:3]))
        sign(unit, [trial.signature for trial in trials])
        self._guard.commit()
        for line in filter(None, lines):
            log.log(*line)
        return [
            Outcome(trial.claim, unloadable=trial.unloadable)
            if trial.task is None
            else outcome_of(trial.task, trial.claim)
            for trial in trials
        ]

    def _find(self, claim: Claim) -> Any:
        self._vitals.load(claim.number)
        try:
            return self._connection.get(p64(claim.tid))
        except POSKeyError:
            return None

    def _is_short(self, task: Any) -> bool:
        """Say whether the last task of this one's class was short; a new class may be long."""
        return self._trials.seconds.get(type(task), GROUP_SECONDS) < GROUP_SECONDS


def _is_alone(task: Any) -> bool:
    # Asked of the class: the task itself is loaded where a failure of that is dealt with.
    kind = type(task)
    if not issubclass(kind, BaseTask):
        return False
    return kind.alone or isinstance(kind.hardLimit, int | float)
