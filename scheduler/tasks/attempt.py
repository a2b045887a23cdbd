"""Attempts: the record of each run of a task, how it ended and what it told meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from scheduler import states
from scheduler.clock import moment as moment
from scheduler.values.masking import hidden

ATTEMPTS_KEPT = 20
TRACEBACK_KEPT = 8000
MESSAGE_KEPT = 500


class Attempt(NamedTuple):
    """The record of one run; all dates are aware, in UTC."""

    number: int
    """Which try of its task it was, from 1; one that was not the task's fault uses up none."""

    started: datetime
    ended: datetime

    state: int
    """FINISHED, FAILED, TERMINATED, ABORTED; QUEUED for one that is only put off."""

    message: str = ""
    """Why it did not succeed."""

    traceback: str = ""
    worker: str = ""
    """The worker's name and process id."""

    version: str = ""
    """The version of the distribution that the task's class came from."""

    log: tuple[str, ...] = ()
    """The last 100 lines that the task logged from INFO on, by any logger, or printed."""

    snapshot: int = 0
    """The number of the last transaction that the run saw; 0 where that is not known."""

    waited: float = 0.0
    """How many seconds the task had been due when the run began."""

    sent: tuple[str, ...] = ()
    """The first 20 mails and calls by `attempt.http` that the run sent to the outside."""

    @property
    def duration(self) -> float:
        """How many seconds the run took."""
        return (self.ended - self.started).total_seconds()

    def packed(self) -> tuple[Any, ...]:
        """Return it as a small tuple of plain values, as it is stored: without passwords."""
        fields = [
            *(self.number, self.started.timestamp(), self.ended.timestamp(), self.state),
            *(hidden(self.message), hidden(self.traceback), self.worker, self.version),
            *(tuple(map(hidden, self.log)), self.snapshot, self.waited),
            tuple(map(hidden, self.sent)),
        ]
        while not fields[-1]:
            fields.pop()
        return tuple(fields)

    @classmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> Attempt:
        """Return the attempt that was stored as *stored*."""
        number, started, ended, *rest = stored
        return cls(number, moment(started), moment(ended), *rest)

    def __str__(self) -> str:
        what = states.status(self.state)
        return f"{self.number} {what} {self.started:%Y-%m-%d %H:%M:%S} {self.message}".rstrip()
