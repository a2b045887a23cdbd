"""Tasks run in threads of this process, directly on its database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from ZODB import DB

from scheduler.execution import Outcome, Runner
from scheduler.executors.base import Flow, Lost, Results
from scheduler.line import Line
from scheduler.running import Claim
from scheduler.settings import Settings

log = logging.getLogger(__name__)


class ThreadExecutor:
    """A number of threads that take claims from one line.

    A thread cannot be killed: a shutdown that runs out of time leaves it to its task, whose
    commit then fails, since the claim is given out again.
    """

    def __init__(self, database: DB, settings: Settings, on_report: Callable[[], None]) -> None:
        self._database = database
        self._settings = settings
        self._results = Results(on_report)
        self._flow = Flow(settings.workers)
        self._line = Line()
        self._lock = threading.Lock()
        self._outstanding = 0
        self._threads = [
            threading.Thread(target=self._work, args=(f"thread-{number}",), daemon=True)
            for number in range(settings.workers)
        ]
        for thread in self._threads:
            thread.start()

    def room(self) -> int:
        """Return how many more claims the threads would take now."""
        return self._flow.window - self._outstanding

    def submit(self, claims: Sequence[Claim]) -> None:
        """Put *claims* in the line."""
        with self._lock:
            self._outstanding += len(claims)
        self._line.extend(claims)

    def collect(self) -> tuple[list[Outcome], list[Lost]]:
        """Return the outcomes since the last call, and the claims that a thread failed on."""
        outcomes, lost = self._results.collect()
        with self._lock:
            self._outstanding -= len(outcomes) + len(lost)
        return outcomes, lost

    def is_busy(self) -> bool:
        """Say whether claims are out whose outcomes were not collected."""
        return self._outstanding > 0

    def shutdown(self, seconds: float) -> list[Claim]:
        """Let the threads end what they run, for at most *seconds*; return the rest of the line."""
        rest = self._line.take_all()
        self._line.close()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
        return rest

    def _work(self, name: str) -> None:
        runner = Runner(self._database, self._settings.task_max_tries, name)
        try:
            while (claim := self._line.wait()) is not None:
                started = time.monotonic()
                outcomes, lost = self._run(runner, claim)
                self._flow.observe(time.monotonic() - started, len(outcomes) + len(lost))
                self._results.report(outcomes, lost)
        finally:
            runner.close()

    def _run(self, runner: Runner, claim: Claim) -> tuple[list[Outcome], list[Lost]]:
        try:
            return runner.run(claim, self._line), []
        except BaseException:
            log.exception("a worker thread could not record what became of its tasks")
            self._flow.slow_down()
            return [], Lost.all_of(runner.held)
