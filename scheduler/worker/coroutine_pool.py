"""The coroutines of a worker: attempts at tasks that await, many at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ZODB import DB
from ZODB.interfaces import IMVCCStorage

from scheduler.inbox.claims import Claim
from scheduler.runtime.context import AttemptReport, Awaited, current_run
from scheduler.runtime.coroutines import AWAIT
from scheduler.storage.outage_retry import retry_outages
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.coroutine_loop import CoroutineLoop
from scheduler.worker.heartbeat import WorkerHeartbeat
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import Runner

log = logging.getLogger(__name__)

# Coroutines at once where each takes two connections of a database server, which has about 100: an
# attempt that cannot have the second one waits for it, and keeps the first.
MOST_ON_A_SERVER = 20


class CoroutinePool:
    """Makes attempts at coroutine tasks, at most *limit* at once, on RelStorage at most 20.

    Each has a connection, a transaction and a thread of its own, which waits while the coroutine
    runs in the one event loop. *begun* is called with a claim whose attempt begins, *ended* with
    its outcomes, *failed* with one whose attempt could not be made, *report* with reports.
    *heartbeat* shows which of them has the loop.
    """

    def __init__(
        self,
        database: DB,
        max_tries: int,
        name: str,
        limit: int,
        *,
        begun: Callable[[Claim], None],
        ended: Callable[[Claim, list[Outcome]], None],
        failed: Callable[[Claim], None],
        report: Callable[[AttemptReport], None],
        heartbeat: WorkerHeartbeat | None = None,
    ) -> None:
        self._database = database
        self._max_tries = max_tries
        self._name = name
        is_served = IMVCCStorage.providedBy(database.storage)
        self._limit = min(limit, MOST_ON_A_SERVER) if is_served else limit
        self._begun, self._ended, self._failed, self._report = begun, ended, failed, report
        self._heartbeat = heartbeat or WorkerHeartbeat.private()
        self._changed = threading.Condition()
        self._waiting: dict[int, Claim] = {}
        self._running: dict[int, Claim] = {}
        self._pool_size = database.getPoolSize()
        self._loop: CoroutineLoop | None = None
        self._threads = 0
        self._is_abandoned = False

    def add(self, claim: Claim) -> None:
        """Make an attempt at the task of *claim*, as soon as there is room."""
        with self._changed:
            self._waiting[claim.number] = claim
            if self._loop is None:
                self._loop = CoroutineLoop(self._name, self._heartbeat)
            if self._threads < self._limit:
                self._threads += 1
                work = threading.Thread(
                    target=self._work, args=(self._loop,), name=self._name, daemon=True
                )
                work.start()

    def claims(self) -> list[Claim]:
        """Return the claims that wait or are at work."""
        with self._changed:
            return [*self._waiting.values(), *self._running.values()]

    def running(self) -> int:
        """Return how many are at work."""
        return len(self._running)

    def take_all(self) -> list[Claim]:
        """Take the claims whose attempts have not begun."""
        with self._changed:
            claims = list(self._waiting.values())
            self._waiting.clear()
            return claims

    def cancel(self, claim: Claim) -> bool:
        """Cancel the coroutine of *claim* where it awaits; return whether it is at work."""
        with self._changed:
            is_at_work = claim.number in self._running
        if is_at_work and self._loop is not None:
            self._loop.cancel(claim.number)
        return is_at_work

    def abandon(self) -> tuple[list[Claim], list[Claim]]:
        """Give up the event loop, which does not end what it must; nothing is reported any more.

        Return the claims that wait, and those at work, which may go on, and cannot commit as soon
        as their loss is settled.
        """
        with self._changed:
            self._is_abandoned = True
            waiting, running = list(self._waiting.values()), list(self._running.values())
            self._waiting.clear()
            self._database.setPoolSize(self._pool_size)
        return waiting, running

    def close(self, seconds: float | None = None) -> None:
        """End when all attempts have; what takes longer than *seconds* is left to itself."""
        with self._changed:
            is_idle = self._changed.wait_for(lambda: not self._threads, seconds)
        if self._loop is not None and is_idle:
            self._loop.close()

    def _work(self, loop: CoroutineLoop) -> None:
        AWAIT.set(partial(self._await, loop))
        while (claim := self._next()) is not None:
            self._begun(claim)
            try:
                outcomes = self._run(claim)
            except BaseException:
                log.exception("worker %s failed on task %d", self._name, claim.tid)
                if self._end(claim):
                    self._failed(claim)
            else:
                if self._end(claim):
                    self._ended(claim, outcomes)

    def _await(self, loop: CoroutineLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
        run = current_run()
        try:
            return loop.await_it(coroutine)
        finally:
            if run is not None:
                self._tell(Awaited(run.claim))

    def _run(self, claim: Claim) -> list[Outcome]:
        runner = retry_outages(
            lambda: Runner(self._database, self._max_tries, self._name, self._tell)
        )
        try:
            return runner.run(claim, ClaimQueue())
        finally:
            runner.close()

    def _tell(self, report: AttemptReport) -> None:
        if not self._is_abandoned:
            self._report(report)

    def _next(self) -> Claim | None:
        with self._changed:
            if not self._waiting:
                self._threads -= 1
                self._changed.notify_all()
                if self._is_abandoned and not self._threads and self._loop is not None:
                    self._loop.close()
                return None
            if not self._running:
                self._database.setPoolSize(self._pool_size + self._limit)
            claim = self._waiting.pop(next(iter(self._waiting)))
            self._running[claim.number] = claim
            return claim

    def _end(self, claim: Claim) -> bool:
        """Note that the attempt of *claim* has ended; return whether that is to be told."""
        with self._changed:
            del self._running[claim.number]
            if self._loop is not None:
                self._loop.forget(claim.number)
            if not self._running and not self._is_abandoned:
                self._database.setPoolSize(self._pool_size)
            return not self._is_abandoned
