"""What every task has: an identity, a state, the record of its runs, and the hooks to override."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import total_ordering
from typing import Any, ClassVar, NamedTuple

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler import states
from scheduler.clock import nowutc
from scheduler.errors import TaskInconsistentStatusException, TaskStillRunningException
from scheduler.running import is_running
from scheduler.spool import ADD, spool_of
from scheduler.states import TASK_STATUS_NONE

ATTEMPTS_KEPT = 20
TRACEBACK_KEPT = 8000


class Attempt(NamedTuple):
    """The record of one run that did not succeed."""

    number: int
    started: datetime
    ended: datetime
    message: str
    traceback: str
    worker: str


@total_ordering
class BaseTask(Persistent):
    """A base class for tasks; a subclass overrides `run` (reference 3.4).

    *expiryDate* (aware datetime) is the last moment at which the task may start; later it
    ends TERMINATED without being run. A task's identity is the number of its object in the
    database, known as soon as it is enqueued; tasks are ordered by it.

    Conflict behaviour: written by the client that creates it, then by the scheduler as it
    queues it, then by the worker that runs it, each in turn. A worker that was given up for
    lost conflicts when it commits after all, and its effects with it.
    """

    max_tries: ClassVar[int | None] = None
    """How often a run is tried; None for what the scheduler is set to."""

    alone: ClassVar[bool] = False
    """Whether each run has a transaction of its own, where short ones would share one."""

    expiryDate: datetime | None = None
    _status: int = TASK_STATUS_NONE
    _started: datetime | None = None
    _ended: datetime | None = None
    _settled: int = 0  # the number of the last claim on this task that came to an end
    _tries: int = 0  # failed tries of the present run
    _retry_on: datetime | None = None
    _queued_for: float = -1  # the moment under which it stands in the waiting queue
    _attempts: tuple[Attempt, ...] = ()

    def __init__(self, expiryDate: datetime | None = None) -> None:
        self.createdOn = nowutc()
        if expiryDate is not None:
            self.expiryDate = aware(expiryDate, "expiryDate")

    def run(self) -> Any:
        """Do the work; overridden by each task.

        The current connection (`scheduler.store.current()`) is the run's. What it changes is
        committed together with the finished mark, or not at all. It may be called again after
        a failure or a conflict.
        """
        raise NotImplementedError(f"{type(self).__name__} does not override run()")

    def prepare(self) -> None:
        """Note that a run begins; what an override changes is kept even if the run fails."""
        self._started = nowutc()

    def start(self, delay: float = 0) -> None:
        """Prepare and run the task here and now, *delay* seconds late, as a worker would."""
        self.getLogger().debug("%r starts %.3f s late", self, delay)
        self.prepare()
        try:
            self.run()
        finally:
            self._ended = nowutc()

    def tearDown(self) -> None:
        """Clean up; called once after every ended run, failed ones included."""

    def reset(self) -> None:
        """Forget the runs there were: the task is as it was before the first one."""
        self._started = self._ended = self._retry_on = None
        self._tries = 0

    def getId(self) -> int | None:
        """Return the task's number; None for one that is not in the database yet."""
        if self._p_oid is None:
            return None
        number: int = u64(self._p_oid)
        return number

    def getStatus(self) -> int:
        """Return the state as one of `scheduler.states.TASK_STATUS_*`."""
        if self._status == states.TASK_STATUS_QUEUED and is_running(self):
            return states.TASK_STATUS_RUNNING
        return self._status

    def setStatus(self, status: int) -> None:
        """Move to state *status*; TaskInconsistentStatusException where that is no legal move."""
        if not states.is_legal(self.getStatus(), status):
            raise TaskInconsistentStatusException(f"{self!r} cannot become {states.status(status)}")
        self._status = status

    def getStartOn(self) -> datetime | None:
        """Return when the task is to be run, in UTC; None for never."""
        raise NotImplementedError(f"{type(self).__name__} does not override getStartOn()")

    def setStartOn(self, dt: datetime) -> None:
        """Set when the task is to be run; for one in the queue use `Client.moveTask`."""
        raise TaskInconsistentStatusException(f"{self!r} has no start date that can be set")

    def getCreatedOn(self) -> datetime:
        """Return when the task was made, in UTC."""
        return self.createdOn

    def getStartedOn(self) -> datetime | None:
        """Return when the last run began, in UTC."""
        return self._started

    def getEndedOn(self) -> datetime | None:
        """Return when the last run ended, in UTC; None before the first one has."""
        return self._ended

    def getAttempts(self) -> tuple[Attempt, ...]:
        """Return the records of the failed tries, oldest first, the last 20 at most."""
        return self._attempts

    def getLogger(self) -> logging.Logger:
        """Return the logger `task.<class>`."""
        return logging.getLogger(f"task.{type(self).__name__}")

    def __repr__(self) -> str:
        return f"[{type(self).__name__}:{self.getId()}|{states.status(self.getStatus())}]"

    def __lt__(self, other: object) -> bool:
        if other is None:
            return False
        if not isinstance(other, BaseTask | TaskOccurrence):
            return NotImplemented
        return _order(self) < _order(other)

    # Identity: a connection has one object for a stored task. (total_ordering needs it said.)
    __eq__ = object.__eq__
    __hash__ = Persistent.__hash__

    def _enter(self, connection: Connection) -> None:
        """Give the task to the scheduler, in the current transaction of *connection*."""
        status = self.getStatus()
        if status == states.TASK_STATUS_RUNNING:
            raise TaskStillRunningException(f"{self!r} is running: enqueue it when it has ended")
        if status == states.TASK_STATUS_QUEUED:
            return
        if self._p_oid is None:
            connection.add(self)
        if status == TASK_STATUS_NONE:
            self._status = states.TASK_STATUS_SPOOLED
        spool_of(connection).put(ADD, self)

    # What follows is for the worker that runs the task.

    def _is_expired(self, now: datetime) -> bool:
        """Say whether *now* is past the last moment at which the task may start."""
        return self.expiryDate is not None and now > self.expiryDate

    def _finish(self, started: datetime, ended: datetime) -> None:
        """Record a run that succeeded."""
        self._started, self._ended = started, ended
        self._tries, self._retry_on = 0, None
        self._status = states.TASK_STATUS_FINISHED

    def _fail(self, attempt: Attempt) -> None:
        """Record a run that failed for good."""
        self._record(attempt)
        self._retry_on = None
        self._status = states.TASK_STATUS_FAILED

    def _retry(self, attempt: Attempt, wait: timedelta) -> None:
        """Record a try that failed; the next one is due after *wait*."""
        self._record(attempt)
        self._tries = attempt.number
        self._retry_on = attempt.ended + wait

    def _delay(self, started: datetime, until: datetime) -> None:
        """Record that the task asked to be run at *until* instead."""
        self._started, self._retry_on = started, until

    def _expire(self, now: datetime) -> None:
        """Record that it was too late to run."""
        self._ended, self._retry_on = now, None
        self._status = states.TASK_STATUS_TERMINATED

    def getDueOn(self) -> datetime | None:
        """Return when the task is to be taken up next: a retry's date, or its own."""
        return self._retry_on or self.getStartOn()

    def _ended_element(self) -> Any:
        """Return what goes into the index of ended runs: the task, or its last occurrence."""
        return self

    def _record(self, attempt: Attempt) -> None:
        self._started, self._ended = attempt.started, attempt.ended
        self._attempts = (*self._attempts, attempt)[-ATTEMPTS_KEPT:]


@total_ordering
class TaskOccurrence(Persistent):
    """One ended run of a periodic task: when it began and ended, and what failed, if it did."""

    message: str = ""

    def __init__(self, task: BaseTask) -> None:
        self._task = task
        self._number: int | None = None
        self._started = task.getStartedOn()
        self._ended = task.getEndedOn()

    def getId(self) -> int | None:
        """Return the occurrence's number among those of its task, from 0."""
        return self._number

    def setId(self, number: int) -> None:
        """Set the occurrence's number."""
        self._number = number

    def getUniqueId(self) -> str:
        """Return `task<id>:<number>`."""
        return f"task{self._task.getId()}:{self._number}"

    def getTask(self) -> BaseTask:
        """Return the task that this was a run of."""
        return self._task

    def getStartedOn(self) -> datetime | None:
        """Return when the run began, in UTC."""
        return self._started

    def getEndedOn(self) -> datetime | None:
        """Return when the run ended, in UTC."""
        return self._ended

    def __repr__(self) -> str:
        return f"[{type(self).__name__}:{self.getUniqueId()}]"

    def __lt__(self, other: object) -> bool:
        if other is None:
            return False
        if not isinstance(other, BaseTask | TaskOccurrence):
            return NotImplemented
        return _order(self) < _order(other)

    __eq__ = object.__eq__
    __hash__ = Persistent.__hash__


def aware(dt: datetime, name: str) -> datetime:
    """Return *dt*; ValueError naming the argument *name* if it has no time zone."""
    if not isinstance(dt, datetime):
        raise TypeError(f"{name} must be a datetime, not {dt!r}")
    if dt.tzinfo is None:
        raise ValueError(
            f"{name} must have a time zone: use nowutc(), or datetime(..., tzinfo=UTC)"
        )
    return dt


def _order(element: BaseTask | TaskOccurrence) -> tuple[bytes, int, int]:
    # A stored task is compared by its object id alone, which does not load it.
    if isinstance(element, TaskOccurrence):
        oid, unstored, _ = _order(element.getTask())
        number = element.getId()
        return oid, unstored, 1 if number is None else number + 1
    return element._p_oid or b"", 0 if element._p_oid else id(element), 0
