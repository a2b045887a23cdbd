"""The runner: it makes attempts at claimed tasks, in groups and, where that fails, alone.

Short tasks share a transaction, with a savepoint for each, so that one that fails is undone
alone; their changes and their finished marks are one commit. When that meets a conflict
they are run again, each in a transaction of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from scheduler.inbox.claims import Claim
from scheduler.runtime.attempt_log import KEEPER, log_tasks
from scheduler.runtime.context import AttemptContext, AttemptReport
from scheduler.storage.internals import is_closed, normal_storage
from scheduler.storage.outage import is_outage
from scheduler.storage.outage_retry import retry_outages
from scheduler.store import using
from scheduler.store.commit import reach_disk
from scheduler.store.missing_class import reason_of
from scheduler.store.snapshot import give_back
from scheduler.store.transact import backoff
from scheduler.tasks.base import BaseTask
from scheduler.tasks.call import is_coroutine
from scheduler.tasks.firing import Firing
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.scheduled_call import ScheduledCall
from scheduler.worker import outside
from scheduler.worker.attempt import Attempts, OpenAttempt
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.conflict_report import ConflictReport
from scheduler.worker.heartbeat import WorkerHeartbeat
from scheduler.worker.outcome import Outcome
from scheduler.worker.recorder import AttemptRecorder
from scheduler.worker.transaction_guard import Guard, Unclean

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.03
GROUP_LIMIT = 200
CONFLICT_TRIES = 10


class Runner:
    """Runs claimed tasks, in the thread that made it, on a connection of its own.

    The connection belongs to the thread's transaction manager, so that other data managers
    that join `transaction.get()` in a task are committed and undone with it. *report* is called
    with reports of an attempt before it has ended; *heartbeat* shows which claims have begun.
    Claims of coroutine tasks are given to *adopt*, where there is one, which makes the attempts.
    """

    def __init__(
        self,
        database: DB,
        max_tries: int,
        name: str,
        report: Callable[[AttemptReport], None],
        heartbeat: WorkerHeartbeat | None = None,
        adopt: Callable[[Claim], None] | None = None,
    ) -> None:
        log_tasks()
        outside.install()
        self._adopt = adopt
        self._heartbeat = heartbeat or WorkerHeartbeat.private()
        self._connection = database.open()
        self._guard = Guard(self._connection)
        self._guard.abort()
        self._recorder = AttemptRecorder(name, max_tries)
        self._attempts = Attempts(
            self._connection, self._guard, self._recorder, report, self._heartbeat
        )
        self._works = True
        """Whether the database has shown no outage since the problem that is recorded."""
        self.held: list[Claim] = []
        self._has_acted = False  # the last task, outside of the database
        self._is_disk_behind = False

    @property
    def now(self) -> AttemptContext | None:
        """The run that is going on."""
        return self._recorder.run

    def close(self) -> None:
        """Give the connection back."""
        self._guard.abort()
        self._guard.release()
        self._connection.close()

    def run(self, first: Claim, claims: ClaimQueue) -> list[Outcome]:
        """Run the task claimed by *first*, and those next in *claims* while they are short.

        A task that acts outside of the database is committed at once, though on the disk only
        when this returns: a killed worker repeats the last such task and no others.
        """
        deadline = time.monotonic() + GROUP_SECONDS
        outcomes: list[Outcome] = []
        claim: Claim | None = first
        self._is_disk_behind = False
        with using(self._connection), KEEPER:
            while claim is not None:
                outcomes += self._run_some(claim, claims, is_first=claim is first)
                goes_on = self._has_acted and time.monotonic() < deadline
                claim = claims.take() if goes_on else None
            if self._is_disk_behind:
                reach_disk(self._connection)
            give_back(normal_storage(self._connection))  # outcomes and hooks may have read
        return outcomes

    def _run_some(self, first: Claim, claims: ClaimQueue, *, is_first: bool) -> list[Outcome]:
        self.held = [first]
        self._has_acted = False
        try:
            return self._run_group(first, claims, is_first=is_first)
        except BaseException as error:  # noqa: BLE001 (an exit in a task ends no worker)
            self._guard.abort()
            if len(self.held) == 1 and (is_outage(error) or isinstance(error, Unclean)):
                problem = error.problem if isinstance(error, Unclean) else error
                return [self._record_problem(first, problem)]
            log.info("%d tasks are run again one by one: %r", len(self.held), error)
            # Of several it is not known which one it was.
            conflict = ConflictReport.over(error) if len(self.held) == 1 else None
            return [self._run_alone(claim, conflict) for claim in self.held]

    def _run_group(self, first: Claim, claims: ClaimQueue, *, is_first: bool) -> list[Outcome]:
        self._attempts.begin()
        self._connection.prefetch(
            [p64(claim.tid) for claim in (first, *claims.coming(GROUP_LIMIT))]
        )
        deadline = time.monotonic() + GROUP_SECONDS
        attempts: list[OpenAttempt] = []
        claim: Claim | None = first
        while claim is not None:
            # Held here, so that the connection does not have to read it again.
            task = self._find(claim)
            if self._adopt is not None and _is_coroutine(task):
                self._adopt(self.held.pop())
                claim = claims.take()
                if claim is not None:
                    self.held.append(claim)
                continue
            if (attempts or not is_first) and (_is_alone(task) or not self._is_short(task)):
                # It would delay the end of the attempts before it.
                claims.put_back(self.held.pop())
                break
            attempts.append(self._attempts.make(claim))
            self._has_acted = outside.has_noted()
            has_room = len(attempts) < GROUP_LIMIT and time.monotonic() < deadline
            is_over = self._has_acted or _is_alone(task)
            claim = claims.take() if has_room and not is_over else None
            if claim is not None:
                self.held.append(claim)
        if not attempts:
            self._guard.abort()
            return []
        is_lazy = self._has_acted and bool(claims.coming(1))
        self._is_disk_behind |= is_lazy
        return self._attempts.commit(attempts, is_lazy=is_lazy)

    def _run_alone(self, claim: Claim, conflict: ConflictReport | None) -> Outcome:
        for number in range(1, CONFLICT_TRIES + 1):
            try:
                self._attempts.begin()
                attempt = self._attempts.make(claim)
                return self._attempts.commit([attempt])[0]._replace(conflict=conflict)
            except BaseException as error:  # noqa: BLE001 (an exit in a task ends no worker)
                self._guard.abort()
                problem = error.problem if isinstance(error, Unclean) else error
                conflict = ConflictReport.over(error, conflict)
                if is_outage(error) or not isinstance(error, TransientError):
                    break
                time.sleep(backoff(number))
        return self._record_problem(claim, problem)._replace(conflict=conflict)

    def _record_problem(self, claim: Claim, problem: BaseException) -> Outcome:
        """Record why an attempt could not be committed, as soon as the database allows it."""
        number = 0
        self._works = True
        while True:
            number += 1
            try:
                return retry_outages(lambda: self._commit_problem(claim, problem))
            except Exception as error:
                if isinstance(error, TransientError) and number < CONFLICT_TRIES:
                    time.sleep(backoff(number))
                elif is_closed(self._connection):
                    raise  # a task has closed the database: nothing can be run here any more
                else:
                    log.exception("the failure of task %d could not be recorded", claim.tid)
                    return Outcome(claim, unloadable=reason_of(error))

    def _commit_problem(self, claim: Claim, problem: BaseException) -> Outcome:
        try:
            return self._attempts.commit_problem(claim, problem, works=self._works)
        except Exception as error:
            self._guard.abort()
            self._works = self._works and not is_outage(error)
            raise

    def _find(self, claim: Claim) -> Any:
        self._heartbeat.load(claim.number)
        try:
            return self._connection.get(p64(claim.tid))
        except POSKeyError:
            return None

    def _is_short(self, task: Any) -> bool:
        """Say whether the last task of this one's name was short; a new one may be long."""
        name = name_of(task)
        if name in self._attempts.lone:
            return False
        return self._attempts.seconds.get(name, GROUP_SECONDS) < GROUP_SECONDS


def _is_coroutine(task: Any) -> bool:
    # Asked of the class, but where the code may change under a schedule that stays.
    if not issubclass(type(task), ScheduledCall | Firing):
        kind: type = type(task)
        return is_coroutine(kind)
    try:
        return TaskHandle(task).is_coroutine
    except Exception:  # noqa: BLE001 (its attempt will meet the same)
        return False


def _is_alone(task: Any) -> bool:
    # Asked of the class: the task itself is loaded where a failure of that is dealt with.
    kind = type(task)
    if not issubclass(kind, BaseTask):
        return False
    return kind.alone or isinstance(kind.hardLimit, int | float)
