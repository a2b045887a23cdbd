"""Tasks run in worker processes, each with a connection of its own to the shared database."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from scheduler.executors.base import (
    STOP_SECONDS,
    ExecutorReport,
    KillReason,
    ReportBuffer,
    WorkerLoad,
    WorkerStatus,
)
from scheduler.executors.log_writer import LogWriter
from scheduler.executors.loss_watch import KILL_SECONDS, LossWatch
from scheduler.executors.lost_claims import WorkerLoss, loss_of
from scheduler.executors.replacement import Replacement
from scheduler.executors.worker_end import announce_end
from scheduler.executors.worker_process import Message, WorkerProcess
from scheduler.inbox.claims import Claim
from scheduler.runtime.application import Application
from scheduler.runtime.context import AttemptReport, Awaited, Begun, ProgressReport
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_QUEUED
from scheduler.storage.outage_log import Outage
from scheduler.worker.log_forwarding import ForwardedLine, levels_here
from scheduler.worker.process import FirstMessage

log = logging.getLogger(__name__)

STUCK_SECONDS = 0.1
# Seconds before the next process is started if one died young, and the longest such pause if one
# after the other dies before it is ready.
YOUNG_SECONDS = 0.5
LONGEST_PAUSE = 5.0

_NO_ROOM = Outage("workers can be started again", "a worker cannot be started")


class ProcessExecutor:
    """A number of worker processes, started afresh (not forked) and replaced when they die.

    *uri* names the database that they open; *last_transaction* returns the transaction that they
    must see to find their tasks. Claims that a worker had begun when it died are
    reported as lost, its other claims go to the next one. A stopped worker is replaced, a busy one
    is not.
    """

    def __init__(
        self,
        uri: str,
        settings: Settings,
        last_transaction: Callable[[], bytes],
        on_report: Callable[[], None],
    ) -> None:
        self._uri = uri
        self._last_transaction = last_transaction
        self._settings = settings
        self._results = ReportBuffer(on_report)
        self._log = LogWriter()
        self._load = WorkerLoad(settings.workers)
        self._lock = threading.RLock()
        self._waiting: deque[Claim] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._vacant = dict.fromkeys(range(settings.workers), 0.0)  # slot -> when to fill it
        self._failed_starts = 0
        # Tasks (by number) that had a share in the death of a worker, with how many have died
        # at their loading: each is run by itself.
        self._suspects: dict[int, int] = {}
        self._replacement = Replacement()
        self._is_closing = False
        self._loss_watch = LossWatch(settings, self._results.wake, self._lose)
        self._stir = threading.Event()
        self._is_over = threading.Event()
        with self._lock:
            self._fill()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    def room(self) -> int:
        """Return how many more claims the workers would take now."""
        with self._lock:
            # A claim counts as started: it is not to wait for a process that is only being started.
            is_at_home = any(
                each.is_ready and not each.is_retired for each in self._workers.values()
            )
            return self._load.window - self._count() if is_at_home else 0

    def submit(self, claims: Sequence[Claim]) -> None:
        """Add *claims* to the waiting ones and give the workers their share."""
        with self._lock:
            self._waiting.extend(claims)
            self._feed()

    def collect(self) -> ExecutorReport:
        """Return the outcomes since the last call, and the claims of workers that died."""
        with self._lock:
            report = self._results.collect()
            self._feed()
        return report

    def stop(self, claim: Claim) -> None:
        """Kill the worker that runs *claim*; its other claims are run again.

        A coroutine is cancelled; its worker is killed where that does not end it.
        """
        with self._lock:
            for worker in self._workers.values():
                if claim.number in worker.held:
                    worker.stop(claim)
                    self._stir.set()

    def reload(self) -> None:
        """Replace the workers one by one; each ends its task first."""
        with self._lock:
            self._replacement.begin(self._workers.values())
        self._stir.set()

    def is_reloading(self) -> bool:
        """Return whether a worker that is to be replaced still takes claims."""
        with self._lock:
            return self._replacement.is_at_work

    def workers(self) -> list[WorkerStatus]:
        """Return the workers by name and process id, each with the first claim it holds."""
        with self._lock:
            return [
                WorkerStatus(each.signature, next(iter(each.held.values()), None), each.state)
                for _, each in sorted(self._workers.items())
            ]

    def holds(self) -> set[int]:
        """Return the numbers of the claims that wait, are with workers, or in reports."""
        with self._lock:
            held = [number for each in self._workers.values() for number in each.held]
            return {claim.number for claim in self._waiting}.union(held, self._results.claims())

    def rest(self) -> float:
        """Return infinity: the supervisor checks the workers, and each report wakes the caller."""
        return math.inf

    def shutdown(self, seconds: float) -> list[Claim]:
        """Wait *seconds* for the workers to end their attempts, then kill them.

        Return the claims that no worker had begun.
        """
        deadline = time.monotonic() + seconds
        with self._lock:
            self._is_closing = True
            workers = list(self._workers.values())
            for worker in workers:
                worker.send(None)
        for worker in workers:
            if not worker.wait(deadline - time.monotonic()):
                log.warning("worker %s killed: it did not end in time", worker)
                worker.kill(KillReason(TASK_STATUS_QUEUED, "the scheduler ended"))
        end = time.monotonic() + KILL_SECONDS
        for worker in workers:
            worker.wait(end - time.monotonic())
            self._lose(worker)
        self._is_over.set()
        self._stir.set()
        self._supervisor.join()
        self._log.close()
        rest = list(self._waiting)
        self._waiting.clear()
        return rest

    def _count(self) -> int:
        with_workers = sum(worker.queued for worker in self._workers.values())
        return len(self._waiting) + with_workers + len(self._results)

    # Messages of workers

    def _receive(
        self, worker: WorkerProcess, message: Message | AttemptReport | ForwardedLine
    ) -> None:
        if isinstance(message, ForwardedLine):
            self._log.write(message)
        elif isinstance(message, Begun):
            is_coroutine = message.claim.number in worker.adopted
            (worker.coroutines if is_coroutine else worker.watch).begin(message)
            self._stir.set()  # its limit may be the next one
        elif isinstance(message, Awaited):
            worker.coroutines.end(message.claim)
        elif isinstance(message, ProgressReport):
            self._results.report_progress(message)
        else:
            self._receive_result(worker, message)

    def _receive_result(self, worker: WorkerProcess, message: Message) -> None:
        kind, outcomes, claims, seconds = message
        with self._lock:
            if worker.is_lost:
                return  # its claims were reported as lost
            if kind == "adopted":
                worker.adopted.update(claim.number for claim in claims)
                self._load.observe(seconds, len(claims))
                claims = []
            elif kind == "done":
                worker.watch.end()
            elif kind == "ready":
                worker.is_ready, self._failed_starts = True, 0
                self._stir.set()  # the next one may be replaced
            elif kind == "bye" and worker.killed is None:
                worker.leaves = time.monotonic() + KILL_SECONDS
                self._stir.set()
            worker.forget([outcome.claim for outcome in outcomes] + claims)
            worker.is_stuck = worker.is_stuck and kind == "returned" and bool(worker.queued)
            self._waiting.extendleft(reversed(claims))
            for outcome in outcomes:
                self._suspects.pop(outcome.claim.tid, None)
            if outcomes and kind == "done":
                self._load.observe(seconds, len(outcomes))
            if outcomes:
                self._recycle(worker, len(outcomes))
            self._feed()
            # Under the lock, so that each claim is always with a worker or in a report.
            self._results.report(outcomes)

    def _recycle(self, worker: WorkerProcess, attempts: int) -> None:
        """Retire *worker* if it has made as many attempts as a worker is to make."""
        worker.attempts += attempts
        limit = self._settings.worker_attempts
        if limit and worker.attempts >= limit and not worker.is_retired:
            log.info("worker %s retired: it has made %d attempts", worker, worker.attempts)
            worker.retire()

    # The end of a worker

    def _lose(self, worker: WorkerProcess) -> None:
        """Report the claims of *worker* as lost; its slot becomes vacant."""
        with self._lock:
            if worker.is_lost:
                return
            worker.is_lost = True
            loss = self._loss(worker)
            worker.held.clear()
            for tid, at_loading in loss.suspects.items():
                self._suspects[tid] = self._suspects.get(tid, 0) + at_loading
            self._waiting.extendleft(reversed(loss.back))
            if not self._is_closing:
                announce_end(worker, loss)
            self._vacate(worker)
            self._feed()
            self._results.report([], loss.lost)

    def _loss(self, worker: WorkerProcess) -> WorkerLoss:
        held, kill_reason = list(worker.held.values()), worker.kill_reason
        if kill_reason is None and self._is_closing:
            kill_reason = KillReason(TASK_STATUS_QUEUED, "the scheduler ended")
        return loss_of(held, worker.begun_claims(), kill_reason, self._suspects, worker.signature)

    def _vacate(self, worker: WorkerProcess) -> None:
        slot = next(key for key, each in self._workers.items() if each is worker)
        del self._workers[slot]
        pause = YOUNG_SECONDS if worker.age() < YOUNG_SECONDS else 0.0
        if not worker.is_ready and worker.kill_reason is None:
            self._failed_starts += 1
            pause = min(LONGEST_PAUSE, YOUNG_SECONDS * 2 ** min(self._failed_starts - 1, 10))
        self._vacant[slot] = time.monotonic() + pause
        self._stir.set()

    # The supervisor: periodic work, independent of the dispatcher

    def _supervise(self) -> None:
        while not self._is_over.is_set():
            self._stir.wait(self._rest())
            self._stir.clear()
            try:
                with self._lock:
                    self._fill()
                    for worker in self._workers.values():
                        worker.stop_begun()
                    self._loss_watch.check(list(self._workers.values()))
                    self._replace()
                    self._level()
            except Exception:
                log.exception("workers %s not checked", ", ".join(map(str, self._workers.values())))

    def _rest(self) -> float:
        """Return the seconds until the next check is due."""
        with self._lock:
            now = time.monotonic()
            moments = [self._loss_watch.next_look, *self._vacant.values()]
            moments += [each.leaves for each in self._workers.values() if each.leaves is not None]
            rests = [each.watch.rest() for each in self._workers.values()]
            rests += [each.coroutines.rest() for each in self._workers.values()]
            if any(each.to_stop for each in self._workers.values()):
                rests.append(STOP_SECONDS)
            if any(each.queued > 1 for each in self._workers.values()):
                rests.append(STUCK_SECONDS)
            return max(0, min([moment - now for moment in moments] + rests))

    def _fill(self) -> None:
        """Start a process for each vacant slot whose pause is over."""
        if self._is_closing:
            self._vacant.clear()
        for slot, moment in list(self._vacant.items()):
            if time.monotonic() < moment:
                continue
            try:
                self._workers[slot] = self._start(slot)
                del self._vacant[slot]
                _NO_ROOM.over(f"process-{slot}")
            except OSError as error:
                _NO_ROOM.met(error, f"process-{slot}")
                self._vacant[slot] = time.monotonic() + LONGEST_PAUSE

    def _start(self, slot: int) -> WorkerProcess:
        tries = self._settings.task_max_tries
        start = FirstMessage(
            self._uri,
            tries,
            f"process-{slot}",
            sys.path,
            levels_here(),
            Application.of(self._settings),
            self._settings.coroutines,
        )
        return WorkerProcess(start, self._receive, self._lose)

    def _replace(self) -> None:
        if self._replacement.go_on(self._workers.values(), is_full=not self._vacant):
            self._results.wake()

    # Distribution of claims

    def _feed(self) -> None:
        if self._is_closing:
            return
        for worker in self._workers.values():
            if not self._waiting:
                return
            if worker.can_take:
                claims = self._share(worker)
                if claims:
                    worker.give(claims, self._last_transaction())

    def _share(self, worker: WorkerProcess) -> list[Claim]:
        """Take the share of *worker* from the waiting claims; a suspect gets its own worker."""
        held = list(worker.held.values())
        claims: list[Claim] = []
        while self._waiting and worker.queued + len(claims) < self._load.share:
            is_suspect = self._waiting[0].tid in self._suspects
            if any(claim.tid in self._suspects for claim in held) or (is_suspect and held):
                break
            if is_suspect and claims:
                break
            claims.append(self._waiting.popleft())
            if is_suspect:
                break
        return claims

    def _level(self) -> None:
        # One long task must not hold up the short ones behind it while another worker is idle.
        workers = self._workers.values()
        if self._waiting or not any(each.can_take and not each.queued for each in workers):
            return
        for worker in workers:
            if worker.queued > 1 and worker.can_take and worker.silence() > STUCK_SECONDS:
                worker.ask_back()
