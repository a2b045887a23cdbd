"""Tasks run in threads of this process, directly on its database."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence

from ZODB import DB

from scheduler.executors.base import (
    STOP_SECONDS,
    WITH_ANOTHER,
    AttemptWatch,
    ExecutorReport,
    KillReason,
    Lost,
    ReportBuffer,
    WorkerLoad,
    WorkerStatus,
)
from scheduler.executors.coroutine_watch import CoroutineWatch
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import (
    AttemptContext,
    AttemptReport,
    Awaited,
    Begun,
    ProgressReport,
)
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_ABORTED, TASK_STATUS_QUEUED
from scheduler.storage.outage_retry import retry_outages
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.coroutine_pool import CoroutinePool
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import Runner

log = logging.getLogger(__name__)


class ThreadExecutor:
    """A number of threads that take claims from one queue.

    A thread cannot be killed: one whose task is to end is abandoned and replaced, and its commit
    fails, since its claim has ended; so it is with an event loop, whose other coroutines are run
    again. A shutdown that runs out of time abandons threads as well.
    """

    def __init__(self, database: DB, settings: Settings, on_report: Callable[[], None]) -> None:
        self._database = database
        self._settings = settings
        self._results = ReportBuffer(on_report)
        self._load = WorkerLoad(settings.workers)
        self._queue = ClaimQueue()
        self._lock = threading.Lock()
        self._out: set[int] = set()  # by number, the claims whose end was not collected
        self._to_stop: dict[int, Claim] = {}  # as soon as their attempts have begun
        self._is_closing = False
        self._coroutine_watch = CoroutineWatch()
        self._coroutines = self._coroutine_pool()
        self._threads = [self._started(number) for number in range(settings.workers)]

    def room(self) -> int:
        """Return how many more claims the threads would take now."""
        return self._load.window - len(self._out) + self._coroutines.running()

    def submit(self, claims: Sequence[Claim]) -> None:
        """Add *claims* to the queue."""
        with self._lock:
            self._out.update(claim.number for claim in claims)
        self._queue.extend(claims)

    def collect(self) -> ExecutorReport:
        """Return the outcomes since the last call, and the claims that a thread failed on."""
        for worker in list(self._threads):
            if not (self._is_closing or worker.thread.is_alive()):
                log.error("worker %s ended unexpectedly; another thread replaces it", worker.name)
                self._threads[worker.number] = self._started(worker.number)
            begun = worker.watch.overdue()
            if begun is not None:
                self._abandon(worker, Lost.overdue(begun))
        why = self._coroutine_watch.overdue()
        if why is not None:
            self._abandon_coroutines(why)
        self._stop_begun()
        report = self._results.collect()
        with self._lock:
            self._out.difference_update(report.numbers())
        self._to_stop = {key: each for key, each in self._to_stop.items() if key in self._out}
        return report

    def stop(self, claim: Claim) -> None:
        """Ask the thread that runs *claim* to end the attempt, and replace the thread."""
        if claim.number in self._out:
            self._to_stop[claim.number] = claim
            self._stop_begun()
            self._results.wake()

    def reload(self) -> None:
        """Go on with these threads, which see the modules that the process has imported anew."""
        log.warning("threads of process %d not replaced: only processes are", os.getpid())

    def is_reloading(self) -> bool:
        """Return False: no worker is ever replaced."""
        return False

    def workers(self) -> list[WorkerStatus]:
        """Return the threads by name, each with its present or last claim."""
        return [WorkerStatus(worker.name, worker.claim) for worker in self._threads]

    def holds(self) -> set[int]:
        """Return the numbers of the claims in the queue, with threads, and in reports."""
        queued = self._queue.all()
        held = [
            claim for worker in self._threads if worker.thread.is_alive() for claim in worker.held()
        ]
        held += self._coroutines.claims()
        return {claim.number for claim in (*queued, *held)}.union(self._results.claims())

    def rest(self) -> float:
        """Return for how many seconds no run is over its limit."""
        rests = [worker.watch.rest() for worker in self._threads]
        look = STOP_SECONDS if self._to_stop else math.inf
        return min(*rests, self._coroutine_watch.rest(), look)

    def shutdown(self, seconds: float) -> list[Claim]:
        """Wait *seconds* for the threads to end their attempts; return the claims not begun."""
        self._is_closing = True
        rest = self._queue.take_all() + self._coroutines.take_all()
        self._queue.close()
        deadline = time.monotonic() + seconds
        for worker in self._threads:
            worker.thread.join(max(0, deadline - time.monotonic()))
        self._coroutines.close(max(0, deadline - time.monotonic()))
        return rest

    def _started(self, number: int) -> _WorkerThread:
        worker = _WorkerThread(number, self._results)
        worker.thread = threading.Thread(
            target=self._work, name=worker.name, args=(worker,), daemon=True
        )
        worker.thread.start()
        return worker

    def _stop_begun(self) -> None:
        """End the attempts that are to be stopped and have begun."""
        for claim in list(self._to_stop.values()):
            if self._coroutines.cancel(claim):
                self._coroutine_watch.cancel(claim)
                del self._to_stop[claim.number]
        for worker in list(self._threads):
            run = worker.run
            if run is not None and run.claim.number in self._to_stop:
                claim = self._to_stop.pop(run.claim.number)
                self._abandon(worker, Lost(claim, TASK_STATUS_ABORTED, "cancelled"))

    def _abandon(self, worker: _WorkerThread, loss: Lost) -> None:
        with self._lock:
            run, held = worker.run, worker.held()
            if run is None or run.claim != loss.claim:
                return  # it has ended meanwhile
            worker.abandoned.set()
            run.is_cancelled = True
            self._threads[self._threads.index(worker)] = self._started(worker.number)
        self._results.report([], Lost.all_of(held, loss))

    def _work(self, worker: _WorkerThread) -> None:
        worker.runner = runner = self._runner(worker)
        try:
            while not worker.abandoned.is_set() and (claim := self._queue.wait()) is not None:
                started = time.monotonic()
                outcomes, lost = self._run(runner, claim)
                with self._lock:
                    worker.watch.end()
                    if worker.abandoned.is_set():
                        return  # all that it held was given up for lost
                if outcomes or lost:
                    self._load.observe(time.monotonic() - started, len(outcomes) + len(lost))
                self._results.report(outcomes, lost)
        finally:
            runner.close()

    def _runner(self, worker: _WorkerThread) -> Runner:
        tries = self._settings.task_max_tries
        return retry_outages(
            lambda: Runner(
                *(self._database, tries, worker.name, worker.take_report),
                adopt=self._adopt,
            )
        )

    def _coroutine_pool(self) -> CoroutinePool:
        tries, limit = self._settings.task_max_tries, self._settings.coroutines
        return CoroutinePool(
            *(self._database, tries, f"coroutine/{os.getpid()}", limit),
            begun=self._adopted,
            ended=self._awaited,
            failed=lambda claim: self._results.report([], Lost.all_of([claim])),
            report=self._take_report,
        )

    def _adopt(self, claim: Claim) -> None:
        with self._lock:
            self._coroutines.add(claim)

    def _adopted(self, claim: Claim) -> None:
        self._load.observe(0.0, 1)  # the thread that was given it is free at once
        self._results.wake()

    def _awaited(self, claim: Claim, outcomes: list[Outcome]) -> None:
        self._coroutine_watch.end(claim)
        self._results.report(outcomes)

    def _take_report(self, report: AttemptReport) -> None:
        if isinstance(report, Begun):
            self._coroutine_watch.begin(report)
            self._results.wake()
        elif isinstance(report, Awaited):
            self._coroutine_watch.end(report.claim)
        else:
            self._results.report_progress(report)

    def _abandon_coroutines(self, why: KillReason) -> None:
        """Put a new event loop in the place of that in which a coroutine does not end."""
        with self._lock:
            abandoned, self._coroutines = self._coroutines, self._coroutine_pool()
            self._coroutine_watch = CoroutineWatch()
            waiting, running = abandoned.abandon()
            for claim in waiting:
                self._coroutines.add(claim)
        log.error("the event loop of %d coroutines is replaced: %s", len(running), why.why)
        others = [claim for claim in running if claim != why.claim]
        losses = [Lost(claim, TASK_STATUS_QUEUED, WITH_ANOTHER) for claim in others]
        if why.claim in running:
            losses.append(Lost(why.claim, why.state, why.why))
        self._results.report([], losses)

    def _run(self, runner: Runner, claim: Claim) -> tuple[list[Outcome], list[Lost]]:
        try:
            return runner.run(claim, self._queue), []
        except BaseException:
            log.exception("worker %s failed on task %d", threading.current_thread().name, claim.tid)
            self._load.slow_down()
            return [], Lost.all_of(runner.held)


class _WorkerThread:
    """A worker thread and its present attempt, for other threads to see."""

    thread: threading.Thread
    runner: Runner | None = None

    def __init__(self, number: int, results: ReportBuffer) -> None:
        self.number = number
        self.name = f"thread-{number}/{os.getpid()}"
        self._results = results
        self.watch = AttemptWatch()
        self.abandoned = threading.Event()

    @property
    def run(self) -> AttemptContext | None:
        """The present attempt."""
        return None if self.runner is None else self.runner.now

    @property
    def claim(self) -> Claim | None:
        """The present or last claim."""
        return None if self.run is None else self.run.claim

    def held(self) -> list[Claim]:
        """Return the claims of its present group."""
        return [] if self.runner is None else list(self.runner.held)

    def take_report(self, report: AttemptReport) -> None:
        """Take a report of the attempt."""
        if isinstance(report, Begun):
            self.watch.begin(report)
            self._results.wake()
        elif isinstance(report, ProgressReport):
            self._results.report_progress(report)
