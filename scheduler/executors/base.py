"""What executors have in common: their methods, and how many tasks they ask for at a time."""

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

AHEAD_SECONDS = 0.1

WORKER_DIED = "the worker died while it ran this task"
WITH_ANOTHER = "the worker was ended because of another task"


class Verdict(NamedTuple):
    """Why a worker is ended: the state in which its run ends, and the reason.

    *claim* is the one that the worker is ended for; None for whichever it is at.
    """

    state: int
    why: str
    claim: Claim | None = None

    @classmethod
    def overdue(cls, begun: Begun) -> Verdict:
        """Return the verdict on a run that was over its limit."""
        return cls(TASK_STATUS_TERMINATED, _over_limit(begun), begun.claim)


def _over_limit(begun: Begun) -> str:
    return f"the run took longer than its hard limit of {begun.limit:g} s"


class Lost(NamedTuple):
    """A claim whose worker is gone: with what state the run ends, and why.

    FAILED where the task is to blame, TERMINATED where it took too long, QUEUED where it just
    has to be run again.
    """

    claim: Claim
    state: int
    why: str
    worker: str = ""
    """The name under which the worker signs its attempts."""

    @classmethod
    def all_of(cls, claims: Sequence[Claim], verdict: Lost | None = None) -> list[Lost]:
        """Return the losses of a worker that held *claims*.

        Where there is a *verdict* on one of them, the others are blameless; else the task is
        to blame where the worker held no other.
        """
        if verdict is not None:
            rest = [claim for claim in claims if claim != verdict.claim]
            return [cls(claim, TASK_STATUS_QUEUED, WITH_ANOTHER) for claim in rest] + [verdict]
        state = TASK_STATUS_FAILED if len(claims) == 1 else TASK_STATUS_QUEUED
        why = (
            WORKER_DIED
            if len(claims) == 1
            else f"{WORKER_DIED}, or one of {len(claims) - 1} others"
        )
        return [cls(claim, state, why) for claim in claims]

    @classmethod
    def overdue(cls, begun: Begun) -> Lost:
        """Return the loss of a run that was over its limit."""
        return cls(begun.claim, TASK_STATUS_TERMINATED, _over_limit(begun))


class Station(NamedTuple):
    """A worker as others see it."""

    name: str
    claim: Claim | None = None
    """The claim it is at, or was last."""
    state: str = ""
    """Empty, or why it does not work: starting, stopped, unresponsive."""


class ExecutorReport(NamedTuple):
    """What workers have said since they were asked last."""

    outcomes: list[Outcome]
    lost: list[Lost]
    progress: list[ProgressReport]

    def numbers(self) -> list[int]:
        """Return the numbers of the claims that have ended."""
        ended = [outcome.claim for outcome in self.outcomes] + [lost.claim for lost in self.lost]
        return [claim.number for claim in ended]


class Executor(Protocol):
    """Runs the tasks that it is given claims on; what it has to say is collected from it."""

    def room(self) -> int:
        """Return how many more claims it would take now."""

    def submit(self, claims: Sequence[Claim]) -> None:
        """Take *claims* and run their tasks."""

    def collect(self) -> ExecutorReport:
        """Return the outcomes since the last call, what was lost, and the progress made."""

    def stop(self, claim: Claim) -> None:
        """End the run on *claim*, which is no longer in force, if it goes on."""

    def workers(self) -> list[Station]:
        """Return the workers."""

    def holds(self) -> set[int]:
        """Return the numbers of the claims that it was given, and whose end was not collected."""

    def rest(self) -> float:
        """Return for how many seconds nothing has to be collected, unless it reports something."""

    def shutdown(self, seconds: float) -> list[Claim]:
        """Stop after at most *seconds* for what is running; return what was not started."""


class AttemptWatch:
    """The time that a run with a limit has; safe to use from several threads."""

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


class Flow:
    """How many claims the workers should have between them, from how long tasks take.

    Enough to keep them busy for a tenth of a second; so a task that takes longer is given out
    only when a worker is free to begin it.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds_per_task = AHEAD_SECONDS

    def observe(self, seconds: float, tasks: int) -> None:
        """Learn that a worker took *seconds* for a number of *tasks*."""
        weight = 1 - 0.7**tasks
        self._seconds_per_task += weight * (seconds / tasks - self._seconds_per_task)

    def slow_down(self) -> None:
        """Give out one claim at a time for a while: one of them has cost a worker its life."""
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
    """What workers have reported and nobody has collected, with a call for each report."""

    def __init__(self, on_report: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._lost: list[Lost] = []
        self._progress: dict[int, ProgressReport] = {}  # by claim: only the last one counts
        self._on_report = on_report

    def report(self, outcomes: Sequence[Outcome], lost: Sequence[Lost] = ()) -> None:
        """Add what a worker has to say of runs that have ended."""
        with self._lock:
            self._outcomes.extend(outcomes)
            self._lost.extend(lost)
        self._on_report()

    def wake(self) -> None:
        """Have the executor asked anew how long it may rest."""
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
