"""The context of an attempt: cancellation, time limits, progress and log lines."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

from scheduler.errors import TaskCancelled, TaskTimedOut
from scheduler.inbox.claims import Claim

LINES_KEPT = 100
LINE_LENGTH = 500
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


News = Begun | ProgressReport


class AttemptContext:
    """The context of one attempt, in the thread that makes it."""

    def __init__(
        self,
        claim: Claim,
        soft_limit: float | None,
        tell: Callable[[News], None],
        snapshot: int = 0,
    ) -> None:
        self.claim = claim
        self.random = generator_of(claim.tid, snapshot)
        """The generator of random numbers of this run; a replay gets the same numbers."""
        self.is_cancelled = False
        self._soft_limit = soft_limit
        self._tell = tell
        self._began = time.monotonic()
        self._told = 0.0
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    def check(self) -> None:
        """Raise TaskCancelled or TaskTimedOut if the attempt is to end."""
        if self.is_cancelled:
            raise TaskCancelled("the task was taken from its worker")
        if self._soft_limit is not None and time.monotonic() - self._began > self._soft_limit:
            raise TaskTimedOut(f"the run is over its soft limit of {self._soft_limit:g} s")

    def report(self, fraction: float, message: str) -> None:
        """Report progress; a report within PROGRESS_SECONDS of the last one is dropped."""
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS or fraction >= 1:
            self._told = now
            self._tell(ProgressReport(self.claim, fraction, message))

    def note(self, line: str) -> None:
        """Keep *line* with the record of the attempt."""
        self._lines.append(line[:LINE_LENGTH])

    def lines(self) -> tuple[str, ...]:
        """Return the kept lines, the last 100."""
        return tuple(self._lines)


def generator_of(number: int, snapshot: int) -> random.Random:
    """Return the generator of random numbers for a run of task *number* on *snapshot*."""
    return random.Random(number ^ snapshot)  # noqa: S311 (no secret: a replay has the same)


_current: ContextVar[AttemptContext | None] = ContextVar("run", default=None)


def current_run() -> AttemptContext | None:
    """Return the attempt that this thread makes, if any."""
    return _current.get()


def set_current_run(run: AttemptContext | None) -> None:
    """Make *run* the attempt of this thread."""
    _current.set(run)


def _shown(arguments: object) -> str:
    try:
        return repr(arguments)
    except Exception:  # noqa: BLE001 (the arguments may be any objects)
        return "that cannot be shown"


class _Keeper(logging.Handler):
    """Keeps the log lines of tasks with the attempts that log them."""

    def emit(self, record: logging.LogRecord) -> None:
        run = current_run()
        if run is None:
            return
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 (the arguments may be any objects)
            line = f"{record.levelname} {record.msg!r} with the arguments {_shown(record.args)} "
            line += f"is no line of a log: {type(error).__name__}"
        run.note(line)


def keep_log_lines() -> None:
    """Keep what tasks write to `getLogger()`, from level INFO on."""
    logger = logging.getLogger("task")
    if not any(isinstance(handler, _Keeper) for handler in logger.handlers):
        keeper = _Keeper(logging.INFO)
        keeper.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(keeper)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
