"""The context of an attempt: cancellation, time limits, progress and log lines."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler.clock import later, nowutc
from scheduler.errors import TaskCancelled, TaskTimedOut
from scheduler.inbox.claims import Claim
from scheduler.runtime.side_effects import IdempotencyKeys

if TYPE_CHECKING:
    from scheduler.runtime.http import TaskClient

LINES_KEPT = 100
LINE_LENGTH = 500
SENT_KEPT = 20
# Seconds between two reports of progress at least: each is a commit of the scheduler.
PROGRESS_SECONDS = 0.1


class Begun(NamedTuple):
    """The report that an attempt has begun and must end within *limit* seconds."""

    claim: Claim
    limit: float


class ProgressReport(NamedTuple):
    """The report of the progress of an attempt: the part done, from 0 to 1, and a text."""

    claim: Claim
    fraction: float
    message: str


class Awaited(NamedTuple):
    """The report that the coroutine of an attempt has ended, which is to be committed."""

    claim: Claim


AttemptReport = Begun | ProgressReport | Awaited


class AttemptContext:
    """The context of one attempt, in the thread that makes it."""

    def __init__(
        self,
        claim: Claim,
        soft_limit: float | None,
        report: Callable[[AttemptReport], None],
        snapshot: int = 0,
        ids: Mapping[str, object] | None = None,
        *,
        task: Any = None,
        hard_limit: float | None = None,
        checkpoint: Callable[[Any], None] | None = None,
        keys_used: int = 0,
    ) -> None:
        self.claim = claim
        self.ids = ids or {}
        """The fields by which lines of the log say of which attempt they are."""
        self.task = task
        self.deadline = _deadline(soft_limit, hard_limit)
        """When the attempt is asked to end, or is ended; None for never."""
        self._snapshot = snapshot
        self.is_cancelled = False
        self.soft_limit, self.hard_limit = soft_limit, hard_limit
        self._report = report
        self._began = time.monotonic()
        self._reported_at = 0.0
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._sent: list[str] = []
        self._keys = IdempotencyKeys(task, keys_used)
        self._checkpoint = checkpoint
        self.thread = threading.get_ident()
        """The thread in which its code runs."""
        self.progress: tuple[float, str] | None = None
        """The last report of progress; None before there is one."""
        self._http: TaskClient | None = None

    @property
    def http(self) -> TaskClient:
        """The HTTP client of the attempt, which is closed with it."""
        if self._http is None:
            from scheduler.runtime.http import TaskClient  # imports httpx, which few attempts use

            self._http = TaskClient()
        return self._http

    def key(self) -> str:
        """Return the idempotency key of the next side effect of the attempt."""
        return self._keys.next()

    def note_sent(self, text: str) -> None:
        """Note a side effect, which no abort takes back; the first 20 are kept."""
        if len(self._sent) < SENT_KEPT:
            self._sent.append(text[:LINE_LENGTH])

    def sent(self) -> tuple[str, ...]:
        """Return the side effects that were noted, oldest first."""
        return tuple(self._sent)

    @property
    def keys_used(self) -> int:
        """How many idempotency keys there were up to now."""
        return self._keys.used

    def checkpoint(self, state: Any) -> None:
        """Commit what the attempt has done so far, and keep *state* with the task.

        Raises RuntimeError in another thread than that of the attempt.
        """
        if threading.get_ident() != self.thread:
            raise RuntimeError("a checkpoint is made in the thread of the attempt: call it there")
        if self._checkpoint is not None:
            self._checkpoint(state)

    def close(self) -> None:
        """Close what belongs to the attempt, which has ended."""
        if self._http is not None:
            self._http.close()

    @cached_property
    def random(self) -> Random:
        """The generator of random numbers of this run; a replay gets the same numbers."""
        return generator_of(self.claim.tid, self._snapshot)

    def check(self) -> None:
        """Raise TaskCancelled or TaskTimedOut if the attempt is to end."""
        if self.is_cancelled:
            raise TaskCancelled("the task was taken from its worker")
        if self.soft_limit is not None and time.monotonic() - self._began > self.soft_limit:
            raise TaskTimedOut(f"the run is over its soft limit of {self.soft_limit:g} s")

    def report(self, fraction: float, message: str) -> None:
        """Report progress; a report within PROGRESS_SECONDS of the last one is dropped."""
        self.progress = (fraction, message)
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_SECONDS or fraction >= 1:
            self._reported_at = now
            self._report(ProgressReport(self.claim, fraction, message))

    def note(self, line: str) -> None:
        """Keep *line* with the record of the attempt."""
        self._lines.append(line[:LINE_LENGTH])

    def lines(self) -> tuple[str, ...]:
        """Return the kept lines, the last 100."""
        return tuple(self._lines)


def _deadline(*limits: float | None) -> datetime | None:
    seconds = min((limit for limit in limits if limit is not None), default=None)
    return None if seconds is None else later(nowutc(), seconds)


def generator_of(number: int, snapshot: int) -> Random:
    """Return the generator of random numbers for a run of task *number* on *snapshot*."""
    return Random(number ^ snapshot)  # noqa: S311 (no secret: a replay has the same)


_current: ContextVar[AttemptContext | None] = ContextVar("run", default=None)


def current_run() -> AttemptContext | None:
    """Return the attempt that this thread makes, if any."""
    return _current.get()


def set_current_run(run: AttemptContext | None) -> None:
    """Make *run* the attempt of this thread."""
    _current.set(run)
