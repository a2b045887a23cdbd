"""Tasks run in threads of this process, directly on its database."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from ZODB import DB

from scheduler.executors.base import AttemptWatch, ExecutorReport, Flow, Lost, ReportBuffer, Station
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import AttemptContext, Begun, News
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_ABORTED
from scheduler.storage import outage_log
from scheduler.storage.outage import is_trouble, pause
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import Runner

log = logging.getLogger(__name__)


class ThreadExecutor:
    """A number of threads that take claims from one line.

    A thread cannot be killed: one whose task is to end is left to it and replaced, and its
    commit fails, since the claim is no longer in force. The same goes for a shutdown that runs
    out of time.
    """

    def __init__(self, database: DB, settings: Settings, on_report: Callable[[], None]) -> None:
        self._database = database
        self._settings = settings
        self._results = ReportBuffer(on_report)
        self._flow = Flow(settings.workers)
        self._line = ClaimQueue()
        self._lock = threading.Lock()
        self._out: set[int] = set()  # by number, the claims whose end was not collected
        self._is_closing = False
        self._seats = [self._seat(number) for number in range(settings.workers)]

    def room(self) -> int:
        """Return how many more claims the threads would take now."""
        return self._flow.window - len(self._out)

    def submit(self, claims: Sequence[Claim]) -> None:
        """Put *claims* in the line."""
        with self._lock:
            self._out.update(claim.number for claim in claims)
        self._line.extend(claims)

    def collect(self) -> ExecutorReport:
        """Return the outcomes since the last call, and the claims that a thread failed on."""
        for seat in list(self._seats):
            if not (self._is_closing or seat.thread.is_alive()):
                log.error("%s has ended; another thread takes its place", seat.name)
                self._seats[seat.number] = self._seat(seat.number)
            begun = seat.watch.overdue()
            if begun is not None:
                self._abandon(seat, Lost.overdue(begun))
        report = self._results.collect()
        with self._lock:
            self._out.difference_update(report.numbers())
        return report

    def stop(self, claim: Claim) -> None:
        """Ask the thread that works on *claim* to end that, and put another in its place."""
        for seat in self._seats:
            run = seat.run
            if run is not None and run.claim == claim:
                self._abandon(seat, Lost(claim, TASK_STATUS_ABORTED, "cancelled"))

    def workers(self) -> list[Station]:
        """Return the threads by name, each with the claim that it works on, or did last."""
        return [Station(seat.name, seat.claim) for seat in self._seats]

    def holds(self) -> set[int]:
        """Return the numbers of the claims in the line, with threads, and in reports."""
        line = self._line.all()
        held = [claim for seat in self._seats if seat.thread.is_alive() for claim in seat.held()]
        return {claim.number for claim in (*line, *held)}.union(self._results.claims())

    def rest(self) -> float:
        """Return for how many seconds no run is over its limit."""
        return min(seat.watch.rest() for seat in self._seats)

    def shutdown(self, seconds: float) -> list[Claim]:
        """Let the threads end what they run, for at most *seconds*; return the rest of the line."""
        self._is_closing = True
        rest = self._line.take_all()
        self._line.close()
        deadline = time.monotonic() + seconds
        for seat in self._seats:
            seat.thread.join(max(0, deadline - time.monotonic()))
        return rest

    def _seat(self, number: int) -> _Seat:
        seat = _Seat(number, self._results)
        seat.thread = threading.Thread(target=self._work, args=(seat,), daemon=True)
        seat.thread.start()
        return seat

    def _abandon(self, seat: _Seat, verdict: Lost) -> None:
        with self._lock:
            run, held = seat.run, seat.held()
            if run is None or run.claim != verdict.claim:
                return  # it has ended meanwhile
            seat.abandoned.set()
            run.is_cancelled = True
            self._seats[self._seats.index(seat)] = self._seat(seat.number)
        self._results.report([], Lost.all_of(held, verdict))

    def _work(self, seat: _Seat) -> None:
        seat.runner = runner = self._runner(seat)
        try:
            while not seat.abandoned.is_set() and (claim := self._line.wait()) is not None:
                started = time.monotonic()
                outcomes, lost = self._run(runner, claim)
                with self._lock:
                    seat.watch.end()
                    if seat.abandoned.is_set():
                        return  # all that it held was given up for lost
                self._flow.observe(time.monotonic() - started, len(outcomes) + len(lost))
                self._results.report(outcomes, lost)
        finally:
            runner.close()

    def _runner(self, seat: _Seat) -> Runner:
        attempt = 0
        while True:
            attempt += 1
            try:
                return Runner(self._database, self._settings.task_max_tries, seat.name, seat.hear)
            except Exception as error:
                if not is_trouble(error):
                    raise
                outage_log.met(error)
                time.sleep(pause(attempt))

    def _run(self, runner: Runner, claim: Claim) -> tuple[list[Outcome], list[Lost]]:
        try:
            return runner.run(claim, self._line), []
        except BaseException:
            log.exception("a worker thread could not record what became of its tasks")
            self._flow.slow_down()
            return [], Lost.all_of(runner.held)


class _Seat:
    """One thread's place: what it works on, for others to see."""

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
        """The run that goes on."""
        return None if self.runner is None else self.runner.now

    @property
    def claim(self) -> Claim | None:
        """The claim of the run that goes on, or went on last."""
        return None if self.run is None else self.run.claim

    def held(self) -> list[Claim]:
        """Return the claims that its present group is made of."""
        return [] if self.runner is None else list(self.runner.held)

    def hear(self, news: News) -> None:
        """Take up what a run has to tell."""
        if isinstance(news, Begun):
            self.watch.begin(news)
            self._results.wake()
        else:
            self._results.report_progress(news)
