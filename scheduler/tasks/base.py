"""The base class of tasks: identity, state, the record of the runs, and the hooks to override."""

from __future__ import annotations

import inspect
import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler import states
from scheduler.clock import aware, nowutc
from scheduler.errors import TaskInconsistentStatusException
from scheduler.inbox.claims import is_running, running_list
from scheduler.inbox.quarantine import is_quarantined
from scheduler.inbox.spool import ADD, spool_of
from scheduler.queue import BLOCKED_DUE, NEVER_DUE
from scheduler.runtime.context import current_run
from scheduler.runtime.coroutines import result_of
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.runtime.origin import Origin, present_origin
from scheduler.states import TASK_STATUS_NONE
from scheduler.tasks.attempt import MESSAGE_KEPT, Attempt, moment
from scheduler.tasks.event import Rank
from scheduler.tasks.flow_step import FlowStep
from scheduler.tasks.life import TaskLife
from scheduler.tasks.result import unkept
from scheduler.tasks.retry import Retry
from scheduler.tasks.size import refuse_large, refuse_script
from scheduler.values.retention_policy import Keep


class BaseTask(FlowStep, TaskLife):
    """A base class for tasks; a subclass overrides `run` (reference 3.4).

    *expiryDate* (aware datetime) is the last moment at which the task may start; later it
    ends TERMINATED without being run. A task's identity is the number of its object in the
    database, known as soon as it is enqueued; tasks are ordered by it.

    Conflict behaviour: written by the client that creates it, then by the scheduler as it
    queues it, then by the worker that runs it, each in turn. A worker that was given up for
    lost conflicts when it commits after all, and its effects with it.
    """

    maxTries: ClassVar[int | None] = None
    """How often a run is tried; None for what the scheduler is set to."""

    retries: ClassVar[Mapping[type[BaseException], Retry]] = {}
    """How a run is tried again, by what it failed with; else with doubling waits from 2 s."""

    softLimit: ClassVar[float | None] = None
    """After so many seconds `checkCancelled` raises TaskTimedOut, which fails the try."""

    hardLimit: ClassVar[float | None] = None
    """After so many seconds the run is taken from its worker, and ends TERMINATED."""

    uniqueFor: ClassVar[float] = 0
    """For so many seconds from when it was made a task keeps its key, even if it has ended."""

    uniqueReplaces: ClassVar[bool] = False
    """Whether a task takes the place of the waiting one with its key, else is turned away."""

    uniqueStates: ClassVar[Collection[int]] = states.AT_WORK
    """In which states a task keeps its key: `states.WAITING` lets one wait while another runs."""

    longestWait: ClassVar[float | None] = None
    """For at most so many seconds from the first one is a task put off by those that replace it."""

    keepFinished: ClassVar[Keep | None] = None
    """How long and how many finished ones of this class are kept; None for the settings' limit."""

    keepFailed: ClassVar[Keep | None] = None
    """The same for those that failed, were terminated or cancelled."""

    alone: ClassVar[bool] = False
    """Whether each run has a transaction of its own, where short ones would share one."""

    queueName: ClassVar[str] = ""
    """The named queue that it waits in, and whose limits it obeys (`Client.limitQueue`)."""

    priority: ClassVar[int] = 0
    """Of the tasks that are due, those with a higher one go first."""

    keyLimit: ClassVar[int | None] = 1
    """How many tasks with the same `limitKey` run at a time; None for any number."""

    keyRate: ClassVar[int | None] = None
    """How many tasks with the same `limitKey` are started in any `keyPeriod`; None for any."""

    keyPeriod: ClassVar[float] = 1.0
    """In seconds."""

    inOrder: ClassVar[bool] = False
    """Whether one that is to be tried again keeps its key: no later one overtakes it."""

    encrypted: ClassVar[bool] = False
    """Whether its result, and the arguments of a call, are stored encrypted."""

    expiryDate: datetime | None = None
    _created: float
    _place: tuple[Any, ...] = ()  # in which queue, if that is not the ordinary one
    _headers: Mapping[str, str] | None = None
    _origin: tuple[Any, ...] = ()

    def __init__(self, expiryDate: datetime | None = None) -> None:
        self._created = nowutc().timestamp()
        if expiryDate is not None:
            self.expiryDate = aware(expiryDate, "expiryDate")

    def run(self) -> Any:
        """Do the work; overridden by each task. The returned value is kept as the task's result.

        The current connection (`scheduler.store.current()`) is the run's. Changes are
        committed together with the finished mark, or not at all. It may be called again after
        a failure or a conflict.
        """
        raise NotImplementedError(f"{type(self).__name__} does not override run()")

    def prepare(self) -> None:
        """Note that a run begins; what an override changes is kept even if the run fails."""
        self._started = nowutc().timestamp()

    def start(self, delay: float = 0) -> Any:
        """Run the task here and now, *delay* seconds late, and note when; return its result.

        Workers call it after `prepare`: what an override does and returns is the run.
        """
        self.getLogger().debug("%r starts %.3f s late", self, delay)
        self._started = nowutc().timestamp()
        try:
            return self.run()
        finally:
            self._ended = nowutc().timestamp()

    def tearDown(self) -> None:
        """Clean up; called once after every ended run, failed ones included."""

    def reset(self) -> None:
        """Forget the runs there were: the task is as it was before the first one.

        The records of its attempts stay.
        """
        self._started = self._ended = self._result = None
        self._begin_anew()

    def uniqueKey(self) -> str | None:
        """Return what there may be one of at work at a time; None for a task like any other.

        The second one is turned away when the scheduler takes it up: its state is NONE then.
        """
        return None

    def limitKey(self) -> str | None:
        """Return what only `keyLimit` tasks may work on at a time; None for nothing.

        The task that was due first has it first.
        """
        return None

    def checkCancelled(self) -> None:
        """Raise TaskCancelled or TaskTimedOut where this run is to end; called by long tasks.

        A run in a worker process is ended by killing that; a thread can only be asked.
        """
        run = current_run()
        if run is not None:
            run.check()

    def getRandom(self) -> random.Random:
        """Return the generator of random numbers of this run; a replay gets the same numbers.

        It is predictable: for keys and tokens use `secrets`. Outside of a run it is a new one.
        """
        run = current_run()
        return random.Random() if run is None else run.random  # noqa: S311 (as documented)

    def setProgress(self, fraction: float, message: str = "") -> None:
        """Show clients at once how far the run has come: a part from 0 to 1, and a text.

        Ten reports a second get through. Outside of a worker it does nothing.
        """
        run = current_run()
        if run is not None:
            run.report(min(1.0, max(0.0, float(fraction))), str(message)[:MESSAGE_KEPT])

    def getProgress(self) -> tuple[float, str] | None:
        """Return how far the present run has come, as it was last told; None for no word."""
        if self._p_jar is None or self._p_oid is None:
            return None
        return running_list(self._p_jar).progress(u64(self._p_oid)) or self._checkpoint[3]

    def getResult(self) -> Any:
        """Return what the last run that succeeded returned; None before it has."""
        return unkept(self._result)

    def setHeader(self, name: str, value: str) -> None:
        """Store the text *value* under *name* with the task, for hooks; before it is enqueued."""
        self._headers = {**(self._headers or {}), name: value}

    def getHeaders(self) -> dict[str, str]:
        """Return the texts that the task carries, by name: those of a trace, for one."""
        return dict(self._headers or {})

    def getOrigin(self) -> Origin:
        """Return from which user, request, host and task it was first enqueued, as far as known."""
        return Origin(*self._origin)

    def getIdempotencyKey(self) -> str:
        """Return the key of the present occurrence: the same in each of its attempts.

        An occurrence is a date of a recurring task; a task that is run anew after it has finished
        begins another one. For one of several side effects use `scheduler.attempt.key()`.
        """
        created = int(self._created * 1_000_000)  # tells it from tasks of other databases
        return f"{self.getId() or 0}-{created:x}-{self._occurrence_number()}"

    def _occurrence_number(self) -> int:
        return self._reruns

    def _rank(self) -> Rank:
        return self._p_oid or b"", 0 if self._p_oid else id(self), 0

    def __lt__(self, other: object) -> bool:
        # Tasks that are due at one moment are compared often: by their ids, if they have them.
        mine, others = self._p_oid, other._p_oid if isinstance(other, BaseTask) else None
        return mine < others if mine and others else super().__lt__(other)

    def getId(self) -> int | None:
        """Return the task's number; None for one that is not in the database yet."""
        if self._p_oid is None:
            return None
        return int(u64(self._p_oid))

    def getStatus(self) -> int:
        """Return the state, one of `scheduler.states.TASK_STATUS_*`; in quarantine, FAILED."""
        if self._status in states.BEFORE_RUN:
            if is_running(self):
                return states.TASK_STATUS_RUNNING
            if is_quarantined(self):
                return states.TASK_STATUS_FAILED
        return self._status

    def isPaused(self) -> bool:
        """Say whether the task waits to be resumed, rather than for a date."""
        return self._status == states.TASK_STATUS_QUEUED and self._queued_for == NEVER_DUE

    def isBlocked(self) -> bool:
        """Say whether the task waits for others to end, rather than for a date."""
        return self._status == states.TASK_STATUS_QUEUED and self._queued_for == BLOCKED_DUE

    def setStatus(self, status: int) -> None:
        """Move to state *status*; TaskInconsistentStatusException where that is no legal move."""
        if not states.is_legal(self.getStatus(), status):
            raise self._illegal(status)
        self._set_status(status)

    def getStartOn(self) -> datetime | None:
        """Return when the task is to be run, in UTC; None for never."""
        raise NotImplementedError(f"{type(self).__name__} does not override getStartOn()")

    def setStartOn(self, dt: datetime) -> None:
        """Set when the task is to be run; for one in the queue use `Client.moveTask`."""
        raise TaskInconsistentStatusException(f"{self!r} has no start date that can be set")

    @property
    def createdOn(self) -> datetime:
        """When the task was made, in UTC."""
        return moment(self._created)

    def getCreatedOn(self) -> datetime:
        """Return when the task was made, in UTC."""
        return self.createdOn

    def getDueOn(self) -> datetime | None:
        """Return when the task is to be taken up next: a retry's date, or its own."""
        return self.getStartOn() if self._retry_on is None else moment(self._retry_on)

    def getAttempts(self) -> tuple[Attempt, ...]:
        """Return the records of the runs, oldest first, the last 20 at most."""
        return tuple(Attempt.unpacked(stored) for stored in self._attempts)

    def isUndone(self) -> bool:
        """Say whether what the last run changed was taken back, see `scheduler.insight.undo`."""
        return self._undone is not None

    def getUndoneOn(self) -> datetime | None:
        """Return when what the last run changed was taken back, in UTC; None if it was not."""
        return None if self._undone is None else moment(self._undone)

    def getLogger(self) -> logging.Logger:
        """Return the logger `task.<class>`, of a call `task.<module>.<function>`.

        The lines that a run writes there are kept with its record.
        """
        return logging.getLogger(f"task.{self._short_name()}")

    def __repr__(self) -> str:
        try:
            code = states.status(self.getStatus())
        except Exception:  # noqa: BLE001 (what cannot be read has a name all the same)
            code = "??"
        try:
            name = self._short_name()
        except Exception:  # noqa: BLE001 (as above)
            name = type(self).__name__
        number = None if self._p_oid is None else u64(self._p_oid)
        return f"[{name}:{number}|{code}]"

    # How lists and logs call the task: see `scheduler.tasks.naming`.

    def _full_name(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def _short_name(self) -> str:
        return type(self).__name__

    def _shown_arguments(self) -> str | None:
        return None

    def _enter(self, connection: Connection) -> None:
        """Give the task to the scheduler, in the current transaction of *connection*."""
        if self._is_wanted():
            self._register(connection)
            self._begin(connection)

    def _register(self, connection: Connection) -> None:
        """Make the task known to the database, and to the hooks; it is not begun by that."""
        self._refuse_large(spool_of(connection).max_size)
        if self._p_oid is None:
            connection.add(self)
        if not self._origin:
            self._origin = present_origin(connection).packed()
        REGISTRY.call("on_enqueue", self)

    def _begin(self, connection: Connection) -> None:
        """Put the task into the spool, unless it is at work."""
        if self._is_wanted():
            if self._status == TASK_STATUS_NONE:
                self._spool()
            spool_of(connection).put(ADD, self)

    def _is_wanted(self) -> bool:
        return self.getStatus() not in (states.TASK_STATUS_QUEUED, states.TASK_STATUS_RUNNING)

    def _refuse_large(self, limit: float) -> None:
        """Raise TooLarge where an attribute takes more than *limit* MB.

        Raises TypeError for a class of the script that runs, which no worker can import.
        """
        refuse_script(self)
        for name, value in self.__dict__.items():
            refuse_script(value)
            refuse_large(value, f"the attribute {name!r} of a {type(self).__name__}", limit)

    # The methods below are for the worker that runs the task.

    def _work(self) -> Any:
        """Do the work; most tasks do not ask how late it is, and are spared its being noted."""
        if type(self).start is BaseTask.start:
            return result_of(self.run())
        now = nowutc()
        return result_of(self.start(max(0.0, (now - (self.getDueOn() or now)).total_seconds())))

    def _is_coroutine(self) -> bool:
        """Say whether `run` returns a coroutine."""
        return inspect.iscoroutinefunction(self.run)

    def _instead_of_run(self, now: datetime) -> Callable[[], None] | None:
        """Return what is to be done instead of a run at *now*; None for a run."""
        if self.expiryDate is None or now <= self.expiryDate:
            return None
        return lambda: self._expire(now, f"its time had passed: it expired on {self.expiryDate}")

    def _take_place_of(self, other: BaseTask) -> None:
        """Take the place of *other*, which waits; be due no later than `longestWait` allows."""
        since = other._created if other._waits_since is None else other._waits_since
        self._wait_since(since)
        date = self.getStartOn()
        if self.longestWait is not None and date is not None:
            self.setStartOn(min(date, moment(since + self.longestWait)))

    def _backfill(self, dates: Iterable[datetime]) -> None:
        """Enqueue an attempt for each of *dates*, where the task has a schedule."""
        raise TypeError(f"{self!r} has no schedule: it is run once")

    def _undo(self) -> None:
        """Record that what the last run changed was taken back; it stays on its shelf."""
        self._undone = nowutc().timestamp()
        self._result = None

    def _ended_element(self) -> Any:
        """Return what goes into the index of ended runs: the task or an occurrence, or None."""
        return self
