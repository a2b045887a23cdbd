"""Tasks run in worker processes, each with a connection of its own to the shared database."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe
from typing import TypeAlias

import psutil

from scheduler.executors.base import Flow, Lost, Report, Results, Watch
from scheduler.outcome import Outcome
from scheduler.run import Begun, News, Progress
from scheduler.running import Claim
from scheduler.said import Said
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_ABORTED, TASK_STATUS_QUEUED
from scheduler.worker import Start

log = logging.getLogger(__name__)

# What it is (ready, done, returned, gone), how tasks ended, claims that were not run, and how
# many seconds it took.
Message: TypeAlias = tuple[str, list[Outcome], list[Claim], float]

STUCK_SECONDS = 0.1
KILL_SECONDS = 2.0
SECOND_LIFE = 0.5
MEMORY_SECONDS = 1.0
# Over the limit a worker may end its task in peace; over so many times the limit it may not.
KILLED_OVER = 2


class ProcessExecutor:
    """A number of worker processes, started afresh (not forked) and replaced when they die.

    *uri* names the database that they open; *last_transaction* tells how far they must have
    come to see the tasks that they are given. What a killed worker held is reported as lost.
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
        self._results = Results(on_report)
        self._flow = Flow(settings.workers)
        self._lock = threading.RLock()
        self._line: deque[Claim] = deque()
        self._outstanding = 0
        self._is_closing = False
        self._look_again = 0.0
        self._workers = [self._start(number) for number in range(settings.workers)]

    def room(self) -> int:
        """Return how many more claims the workers would take now."""
        return self._flow.window - self._outstanding

    def submit(self, claims: Sequence[Claim]) -> None:
        """Put *claims* in the line and give the workers their share."""
        with self._lock:
            self._outstanding += len(claims)
            self._line.extend(claims)
            self._feed()

    def collect(self) -> Report:
        """Return the outcomes since the last call, and the claims of workers that died."""
        report = self._results.collect()
        with self._lock:
            self._outstanding -= len(report.outcomes) + len(report.lost)
            for worker in self._workers:
                begun = worker.watch.overdue()
                if begun is not None:
                    worker.kill(Lost.overdue(begun))
            self._watch_memory()
            self._level()
            self._feed()
        return report

    def stop(self, claim: Claim) -> None:
        """Kill the worker that holds *claim*; what else it held is run again."""
        with self._lock:
            for worker in self._workers:
                if claim.number in worker.held:
                    worker.kill(Lost(claim, TASK_STATUS_ABORTED, "cancelled"))

    def workers(self) -> list[tuple[str, Claim | None]]:
        """Return the workers by name and process id, each with the first claim it holds."""
        with self._lock:
            return [
                (each.signature, next(iter(each.held.values()), None)) for each in self._workers
            ]

    def rest(self) -> float:
        """Return for how many seconds no worker has to be looked at."""
        with self._lock:
            rest = min(worker.watch.rest() for worker in self._workers)
            if any(len(worker.held) > 1 for worker in self._workers):
                rest = min(rest, STUCK_SECONDS)
        return min(rest, MEMORY_SECONDS) if self._settings.worker_memory else rest

    def shutdown(self, seconds: float) -> list[Claim]:
        """Let the workers end what they run, for at most *seconds*, then kill them.

        Returns the claims that no worker had begun.
        """
        with self._lock:
            self._is_closing = True
            for worker in self._workers:
                worker.send(None)
        deadline = time.monotonic() + seconds
        for worker in self._workers:
            worker.stop(deadline)
        rest = list(self._line)
        self._line.clear()
        self._outstanding -= len(rest)
        return rest

    def _start(self, number: int) -> _Worker:
        level = logging.getLogger().getEffectiveLevel()
        tries = self._settings.task_max_tries
        start = Start(self._uri, tries, f"process-{number}", sys.path, level)
        return _Worker(start, self._heard)

    def _heard(self, worker: _Worker, message: Message | News | Said) -> None:
        if isinstance(message, Said):
            message.log()
        elif isinstance(message, Begun):
            worker.watch.begin(message)
            self._results.wake()
        elif isinstance(message, Progress):
            self._results.report_progress(message)
        else:
            self._heard_result(worker, message)

    def _heard_result(self, worker: _Worker, message: Message) -> None:
        kind, outcomes, claims, seconds = message
        if kind == "done":
            worker.watch.end()
        with self._lock:
            worker.forget([outcome.claim for outcome in outcomes] + claims)
            worker.is_stuck = worker.is_stuck and kind == "returned" and bool(worker.held)
            if kind == "returned":
                self._line.extendleft(reversed(claims))
            elif kind == "gone":
                self._flow.slow_down()
                self._replace(worker)
            elif outcomes:
                self._flow.observe(seconds, len(outcomes))
            self._feed()
            lost = self._losses(worker, claims) if kind == "gone" else []
        self._results.report(outcomes, lost)

    def _losses(self, worker: _Worker, claims: list[Claim]) -> list[Lost]:
        if self._is_closing:
            return [Lost(claim, TASK_STATUS_QUEUED, "the scheduler ended") for claim in claims]
        return Lost.all_of(claims, worker.verdict)

    def _replace(self, worker: _Worker) -> None:
        if self._is_closing:
            return
        log.warning("worker %s ended with status %s; a new one is started", worker, worker.status())
        if worker.age() < SECOND_LIFE:
            time.sleep(SECOND_LIFE)  # one that dies at its start must not become a whirl
        position = self._workers.index(worker)
        self._workers[position] = self._start(position)

    def _watch_memory(self) -> None:
        limit = self._settings.worker_memory * 2**20
        if not limit or time.monotonic() < self._look_again:
            return
        self._look_again = time.monotonic() + MEMORY_SECONDS
        for worker in self._workers:
            used = worker.memory()
            if used > KILLED_OVER * limit:
                log.error("worker %s is killed: it uses %d MB", worker, used // 2**20)
                worker.kill(None)
            elif used > limit and not worker.is_retired:
                log.warning("worker %s is to end: it uses %d MB", worker, used // 2**20)
                worker.retire()

    def _feed(self) -> None:
        if self._is_closing:
            return
        for worker in self._workers:
            if worker.is_stuck or worker.is_retired:
                continue
            share = self._flow.share - len(worker.held)
            if share > 0 and self._line:
                claims = [self._line.popleft() for _ in range(min(share, len(self._line)))]
                worker.give(claims, self._last_transaction())

    def _level(self) -> None:
        # One long task must not hold up the short ones behind it while another worker is idle.
        if self._line or all(worker.held for worker in self._workers):
            return
        for worker in self._workers:
            if len(worker.held) > 1 and worker.silence() > STUCK_SECONDS:
                worker.ask_back()


class _Worker:
    """One worker process, seen from the scheduler: what it holds, and what it says."""

    def __init__(
        self,
        start: Start,
        heard: Callable[[_Worker, Message | News | Said], None],
    ) -> None:
        self.name = start.name
        self.held: dict[int, Claim] = {}
        self.is_stuck = True  # until it has said that it is ready
        self.is_retired = False
        self.watch = Watch()
        self.verdict: Lost | None = None
        """Why it was killed, if it was."""
        self._heard = heard
        self._born = self._last_word = time.monotonic()
        self._pipe, theirs = Pipe()
        self._process = _spawn(theirs)
        theirs.close()
        self.send(start)
        self._listener = threading.Thread(
            target=self._listen, name=f"ear of {self.name}", daemon=True
        )
        self._listener.start()

    def give(self, claims: list[Claim], seen_from: bytes) -> None:
        """Hand *claims*, which can be seen from transaction *seen_from* on, to the process."""
        if not self.held:
            self._last_word = time.monotonic()
        self.held.update((claim.number, claim) for claim in claims)
        self.send((seen_from, claims))

    def ask_back(self) -> None:
        """Ask for the claims that it has not begun; until its task ends, it is given no more."""
        self._last_word = time.monotonic()
        self.is_stuck = True
        self.send("return")

    def memory(self) -> int:
        """Return the bytes of memory that the process has in use; 0 for one that is gone."""
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def retire(self) -> None:
        """Let the process end what it is at, and give the rest back; it is given no more."""
        self.is_retired = True
        self.send(None)

    def kill(self, verdict: Lost | None) -> None:
        """Kill the process at once, for the reason that *verdict* gives."""
        self.verdict = verdict
        self.watch.end()
        self._process.kill()

    def send(self, message: object) -> None:
        """Send *message*; a process that is gone is noticed by the ear."""
        try:
            self._pipe.send(message)
        except OSError:
            log.debug("worker %s does not take %r", self.name, message)

    def forget(self, claims: Sequence[Claim]) -> None:
        """Note that the process is done with *claims*."""
        for claim in claims:
            self.held.pop(claim.number, None)

    @property
    def signature(self) -> str:
        """The name under which it signs its attempts."""
        return f"{self.name}/{self._process.pid}"

    def silence(self) -> float:
        """Return the seconds since it was last heard of."""
        return time.monotonic() - self._last_word

    def age(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self._born

    def status(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._process.poll()

    def stop(self, deadline: float) -> None:
        """Wait until *deadline* for the process to end, then kill it."""
        try:
            self._process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("worker %s is killed: it did not end in time", self.name)
            self._process.kill()
            self._process.wait()
        self._listener.join(KILL_SECONDS)
        self._pipe.close()

    def __str__(self) -> str:
        return f"{self.name} (pid {self._process.pid})"

    def _listen(self) -> None:
        try:
            while True:
                message = self._pipe.recv()
                self._last_word = time.monotonic()
                self._heard(self, message)
        except (EOFError, OSError):
            self._process.wait()
            self._heard(self, ("gone", [], list(self.held.values()), 0))


def _spawn(pipe: Connection) -> subprocess.Popen[bytes]:
    descriptor = pipe.fileno()
    return subprocess.Popen(  # noqa: S603 (this very interpreter, a module of ours)
        [sys.executable, "-c", "from scheduler.worker import main; main()", str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
