"""The report of workers: which there are, and what each is at, noted for everybody to see."""

from __future__ import annotations

import math
import time

from ZODB.Connection import Connection

from scheduler.clock import nowutc
from scheduler.executors import Executor, WorkerStatus
from scheduler.leadership.lease import Lease
from scheduler.leadership.roster import WorkerInfo, roster_of

NOTE_SECONDS = 1.0
# Seconds that a task has run before it is noted.
LONG_SECONDS = 1.0


class WorkerReport:
    """Notes the running tasks in the roster: at most once a second, and only changes."""

    def __init__(self, lease: Lease, executor: Executor) -> None:
        self._lease = lease
        self._executor = executor
        self._noted: tuple[WorkerInfo, ...] = ()
        self._next = 0.0
        self._again = math.inf

    def note(self) -> None:
        """Note who is at work, if it is time for that."""
        now = time.monotonic()
        if now < self._next:
            self._again = self._next
            return
        self._next = now + NOTE_SECONDS
        before = nowutc().timestamp() - LONG_SECONDS
        workers = self._executor.workers()
        found = tuple(_info(each, before) for each in workers)
        is_begun = any(each.claim is not None and each.claim.since > before for each in workers)
        self._again = self._next
        if found != self._noted:
            self._lease.transact(lambda own: _enter(own, found), note="scheduler: workers")
            self._noted = found
        if not is_begun:
            self._again = math.inf

    def rest(self) -> float:
        """Return for how many seconds there is nothing to note."""
        return max(0.0, self._again - time.monotonic())


def _info(worker: WorkerStatus, before: float) -> WorkerInfo:
    claim = worker.claim
    if claim is None or claim.since > before:
        return WorkerInfo(worker.name, state=worker.state)
    return WorkerInfo(worker.name, claim.tid, claim.number, worker.state)


def _enter(connection: Connection, workers: tuple[WorkerInfo, ...]) -> None:
    roster_of(connection).workers = workers
