"""The methods of executors, their reports, and the number of claims that they ask for."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from scheduler.inbox.claims import Claim
from scheduler.runtime.context import Begun, ProgressReport
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_QUEUED, TASK_STATUS_TERMINATED
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import GROUP_LIMIT

# Seconds between looks for claims to be stopped whose attempts have not begun yet.
STOP_SECONDS = 0.1
# Seconds of work that the claims given to the workers should amount to.
AHEAD_SECONDS = 0.1

WORKER_DIED = "the worker died while it ran this task"
WITH_ANOTHER = "the worker was ended because of another task"


class KillReason(NamedTuple):
    """Why a worker is ended: the state in which its attempt ends, and the reason.

    *claim* is the one that the worker is ended for; None for its present one.
    """

    state: int
    why: str
    claim: Claim | None = None

    @classmethod
    def overdue(cls, begun: Begun) -> KillReason:
        """Return the reason to end an attempt that is over its limit."""
        return cls(TASK_STATUS_TERMINATED, _over_limit(begun), begun.claim)


def _over_limit(begun: Begun) -> str:
    return f"the run took longer than its hard limit of {begun.limit:g} s"


class Lost(NamedTuple):
    """A claim whose worker has ended: the state in which the attempt ends, and the reason.

    FAILED if the task is to blame, TERMINATED if it took too long, QUEUED if it just has to be
    run again.
    """

    claim: Claim
    state: int
    why: str
    worker: str = ""
    """The name under which the worker signs its attempts."""

    @classmethod
    def all_of(cls, claims: Sequence[Claim], loss: Lost | None = None) -> list[Lost]:
        """Return the losses of a worker that held *claims*.

        With a *loss* on one of them, the others are blameless; else the task is to blame if
        the worker held no other.
        """
        if loss is not None:
            rest = [claim for claim in claims if claim != loss.claim]
            return [cls(claim, TASK_STATUS_QUEUED, WITH_ANOTHER) for claim in rest] + [loss]
        state = TASK_STATUS_FAILED if len(claims) == 1 else TASK_STATUS_QUEUED
        why = (
            WORKER_DIED
            if len(claims) == 1
            else f"{WORKER_DIED}, or one of {len(claims) - 1} others"
        )
        return [cls(claim, state, why) for claim in claims]

    @classmethod
    def overdue(cls, begun: Begun) -> Lost:
        """Return the loss of an attempt that is over its limit."""
        return cls(begun.claim, TASK_STATUS_TERMINATED, _over_limit(begun))


class WorkerStatus(NamedTuple):
    """The status of a worker."""

    name: str
    claim: Claim | None = None
    """Its present claim, or its last one."""
    state: str = ""
    """Empty, or why it does not work: starting, stopped, unresponsive."""


class ExecutorReport(NamedTuple):
    """The reports of the workers since the last collection."""

    outcomes: list[Outcome]
    lost: list[Lost]
    progress: list[ProgressReport]

    def numbers(self) -> list[int]:
        """Return the numbers of the claims that have ended."""
        ended = [outcome.claim for outcome in self.outcomes] + [lost.claim for lost in self.lost]
        return [claim.number for claim in ended]


class Executor(Protocol):
    """Runs the tasks of the claims that it is given; its reports are collected."""

    def room(self) -> int:
        """Return how many more claims it takes now."""

    def submit(self, claims: Sequence[Claim]) -> None:
        """Take *claims* and run their tasks."""

    def collect(self) -> ExecutorReport:
        """Return the outcomes, lost claims and progress since the last call."""

    def stop(self, claim: Claim) -> None:
        """End the attempt on *claim*, which has ended, if it goes on or begins.

        It can begin afterwards, in a transaction that does not see that the claim has ended.
        """

    def reload(self) -> None:
        """Replace the workers one by one by such with the present code, if they can be."""

    def is_reloading(self) -> bool:
        """Return whether a worker that is to be replaced still takes claims."""

    def workers(self) -> list[WorkerStatus]:
        """Return the workers."""

    def holds(self) -> set[int]:
        """Return the numbers of the claims given to it whose end was not collected."""

    def rest(self) -> float:
        """Return for how many seconds nothing has to be collected without a report."""

    def shutdown(self, seconds: float) -> list[Claim]:
        """Stop, with *seconds* for running attempts to end; return the claims not begun."""


class AttemptWatch:
    """Watches the time limit of an attempt; safe to use from several threads."""

    def __init__(self) -> None:
        self._last: tuple[Begun, float] | None = None

    def begin(self, begun: Begun) -> None:
        """Note a run that begins now."""
        self._last = (begun, time.monotonic() + begun.limit)

    def end(self) -> None:
        """Note that no such run goes on."""
        self._last = None

    def rest(self) -> float:
        """Return for how many seconds no run is over its limit."""
        last = self._last
        return math.inf if last is None else max(0.0, last[1] - time.monotonic())

    def overdue(self) -> Begun | None:
        """Return the run that is over its limit, if it is."""
        last = self._last
        return last[0] if last is not None and time.monotonic() >= last[1] else None


class WorkerLoad:
    """The load of the workers: how many claims they should have, by the time that tasks take.

    It keeps them busy for AHEAD_SECONDS; so a longer task is given out only when a worker is
    free to begin it.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds_per_task = AHEAD_SECONDS

    def observe(self, seconds: float, tasks: int) -> None:
        """Learn that a worker took *seconds* for a number of *tasks*."""
        weight = 1 - 0.7**tasks
        self._seconds_per_task += weight * (seconds / tasks - self._seconds_per_task)

    def slow_down(self) -> None:
        """Give out one claim at a time for a while, after a worker has died."""
        self._seconds_per_task = AHEAD_SECONDS

    @property
    def share(self) -> int:
        """How many claims one worker should have."""
        return max(1, min(GROUP_LIMIT, int(AHEAD_SECONDS / max(1e-6, self._seconds_per_task))))

    @property
    def window(self) -> int:
        """How many claims all workers together should have."""
        return self._workers * self.share


class ReportBuffer:
    """Buffers the reports of workers until they are collected, with a call for each report."""

    def __init__(self, on_report: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._lost: list[Lost] = []
        self._progress: dict[int, ProgressReport] = {}  # by claim: only the last one counts
        self._on_report = on_report

    def report(self, outcomes: Sequence[Outcome], lost: Sequence[Lost] = ()) -> None:
        """Add the *outcomes* and losses that a worker reports."""
        with self._lock:
            self._outcomes.extend(outcomes)
            self._lost.extend(lost)
        self._on_report()

    def wake(self) -> None:
        """Wake up the caller, so that it asks for `rest()` anew."""
        self._on_report()

    def report_progress(self, progress: ProgressReport) -> None:
        """Add how far a run has come."""
        with self._lock:
            self._progress[progress.claim.number] = progress
        self._on_report()

    def claims(self) -> list[int]:
        """Return the numbers of the claims that have ended, and are not collected."""
        with self._lock:
            return ExecutorReport(self._outcomes, self._lost, []).numbers()

    def __len__(self) -> int:
        return len(self._outcomes) + len(self._lost)

    def collect(self) -> ExecutorReport:
        """Return and forget what was reported."""
        with self._lock:
            collected = ExecutorReport(self._outcomes, self._lost, list(self._progress.values()))
            self._outcomes, self._lost, self._progress = [], [], {}
        return collected
