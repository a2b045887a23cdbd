"""The handle of a task: the door to what the scheduler and its workers alone do with it.

The methods behind it are underscored, because an application's subclasses share their namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ZODB.Connection import Connection

from scheduler.runtime.context import AttemptContext
from scheduler.runtime.origin import Origin
from scheduler.store.sealed_value import sealed
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.composite import Composite, Step
from scheduler.tasks.event import TimedEvent
from scheduler.tasks.prerequisites import Prerequisites
from scheduler.tasks.result import unkept
from scheduler.values.shown import ENCRYPTED, shown


class TaskHandle:
    """The scheduler's access to *task*: its state, its transitions (`TaskLife`), and its run."""

    __slots__ = ("_task",)

    def __init__(self, task: BaseTask) -> None:
        self._task = task

    @property
    def status(self) -> int:
        """The stored status, which does not tell whether the task runs."""
        return self._task._status

    @property
    def settled(self) -> int:
        """The number of the last claim that has ended."""
        return self._task._settled

    @property
    def tries(self) -> int:
        """How many tries of the present run have failed."""
        return self._task._tries

    @property
    def retry_on(self) -> float | None:
        """When the next try is due, in seconds since 1970; None for the task's own date."""
        return self._task._retry_on

    @property
    def queued_for(self) -> float:
        """The date in seconds since 1970 under which the task stands in its queue."""
        return self._task._queued_for

    @property
    def slot(self) -> tuple[Any, ...]:
        """The queue slot that the task waits in; empty for the ordinary one."""
        return self._task._place

    @slot.setter
    def slot(self, slot: tuple[Any, ...]) -> None:
        self._task._place = slot

    @property
    def group(self) -> Composite | None:
        """The chain or group that the task is a step of, if it is of one."""
        group: Composite | None = self._task._group
        return group

    @property
    def short_name(self) -> str:
        """The name of the task's class, or of the function that it calls."""
        return self._task._short_name()

    @property
    def full_name(self) -> str:
        """The dotted name of the task's class, or of the function that it calls."""
        return self._task._full_name()

    @property
    def shown_arguments(self) -> str | None:
        """The arguments of a call, shortened; None for a task of another class."""
        return self._task._shown_arguments()

    @staticmethod
    def has_own_name(kind: type[BaseTask]) -> bool:
        """Return whether tasks of class *kind* have another name than that of their class."""
        return kind._full_name is not BaseTask._full_name

    @property
    def occurrence_number(self) -> int:
        """The number of the occurrence among those of the task, from 0."""
        return self._task._occurrence_number()

    @property
    def signals(self) -> Mapping[str, tuple[Any, ...]]:
        """The signals that the task has received, with their payloads; empty for one too late."""
        return self._task._signals

    @property
    def awaits(self) -> tuple[str, float | None] | None:
        """The signal that the task waits for, and until when; None if it waits for none."""
        return self._task._awaits

    def note_origin(self, origin: Origin) -> None:
        """Note from where the task was enqueued, with the transaction that enqueues it."""
        self._task._origin = origin.packed()

    def times_put_off(self, because: tuple[str, ...] = ("",)) -> int:
        """Return how many of the last runs in a row did not count as a try.

        Only those whose message begins with one of the texts *because*.
        """
        return self._task._times_put_off(because)

    def ended_element(self) -> Any:
        """Return what goes into the index of ended runs: the task or an occurrence, or None."""
        return self._task._ended_element()

    def instead_of_run(self, now: datetime) -> Callable[[], None] | None:
        """Return what is to be done instead of a run at *now*; None for a run."""
        return self._task._instead_of_run(now)

    @property
    def work(self) -> Callable[[], Any]:
        """The run itself, to be called."""
        return self._task._work

    def refuse_large(self, limit: float) -> None:
        """Raise TooLarge where an attribute takes more than *limit* MB."""
        self._task._refuse_large(limit)

    def spool_again(self) -> None:
        """Move to SPOOLED from quarantine, or from a queue in which the task does not stand."""
        self._task._spool_again()

    def queue(self, due: float) -> None:
        """Move to QUEUED, to be due at *due* (since 1970)."""
        self._task._queue(due)

    def forget(self) -> None:
        """Move to NONE: the task stands on no shelf."""
        self._task._forget()

    def finish(self, attempt: Attempt, result: Any) -> None:
        """Record a run that succeeded, with its *result*."""
        self._task._finish(attempt, result)

    def end(self, attempt: Attempt) -> None:
        """Record the last run: it failed for good, or was ended."""
        self._task._end(attempt)

    def abort(self, attempt: Attempt) -> None:
        """Record that the task was cancelled as a whole."""
        self._task._abort(attempt)

    def withdraw(self) -> None:
        """Move to ABORTED, without a record."""
        self._task._withdraw()

    def retry(self, attempt: Attempt, until: float) -> None:
        """Record a try that failed; the next one is due at *until* (since 1970)."""
        self._task._retry(attempt, until)

    def delay(self, attempt: Attempt, until: float) -> None:
        """Record a run that did not count as a try; the next one is due at *until*."""
        self._task._delay(attempt, until)

    @property
    def checkpoint_state(self) -> Any:
        """The state of the last checkpoint of the present occurrence; None before the first."""
        return unkept(self._task._checkpoint[1])

    @property
    def checkpoint(self) -> str | None:
        """The state of the last checkpoint of the present occurrence, as a text."""
        if self._task.encrypted:
            return ENCRYPTED if self._task._checkpoint[1] is not None else None
        state = self.checkpoint_state
        return None if state is None else shown(state)

    @property
    def is_coroutine(self) -> bool:
        """Whether the task is a coroutine, whose attempts are made beside others."""
        return self._task._is_coroutine()

    @property
    def keys_used(self) -> int:
        """How many idempotency keys there were up to the last checkpoint."""
        return int(self._task._checkpoint[2])

    def closed(self, value: Any) -> Any:
        """Return *value* as it is stored: encrypted, where the task's class says so."""
        return sealed(value) if self._task.encrypted and value is not None else value

    def lines_of(self, claim: int) -> tuple[str, ...]:
        """Return the lines of the log of the attempt of *claim*, up to its last checkpoint."""
        of_claim, *_, lines = self._task._checkpoint
        return tuple(lines) if of_claim == claim else ()

    def keep_checkpoint(self, claim: int, state: Any, run: AttemptContext) -> None:
        """Keep what the next attempt goes on from, should the attempt of *claim* not end well."""
        self._task._keep_checkpoint(claim, state, run)

    @property
    def awaited(self) -> str:
        """The signal that the task waits for in its queue; empty where for none."""
        return self._task._awaited()

    def wait_for(self, attempt: Attempt, name: str, until: float | None) -> None:
        """Record a run that waits for the signal *name*, until *until* (since 1970) at most."""
        self._task._await(attempt, name, until)

    def receive(self, name: str, payload: Any, now: float) -> None:
        """Keep the *payload* of the signal *name*; the next run is due at *now* (since 1970)."""
        self._task._receive(name, payload, now)

    def expire(self, now: datetime, why: str) -> None:
        """Record that no time is left at which the task might run."""
        self._task._expire(now, why)

    def settle(self, claim: int) -> None:
        """Note that claim number *claim* has ended: a worker that still holds it conflicts."""
        self._task._settle(claim)

    def set_retry(self, until: float | None) -> None:
        """Make the next try due at *until* (since 1970); None for the task's own date."""
        self._task._set_retry(until)

    def prioritize(self, priority: int) -> None:
        """Give this task a *priority* of its own, whatever its class says."""
        setattr(self._task, "priority", priority)  # noqa: B010 (a ClassVar for the checker)

    def set_status(self, status: int) -> None:
        """Set *status* unchecked: for the moves whose caller has checked the shelf."""
        self._task._set_status(status)

    def begin_occurrence(self) -> None:
        """Note that the task is run anew after it had finished."""
        self._task._begin_occurrence()

    def take_place_of(self, other: BaseTask) -> None:
        """Take the place of *other*, which waits; be due no later than `longestWait` allows."""
        self._task._take_place_of(other)

    def backfill(self, dates: Iterable[datetime]) -> None:
        """Enqueue an attempt at a recurring task for each of *dates*."""
        self._task._backfill(dates)

    def undo(self) -> None:
        """Record that the changes of the last run were undone; the task stays on its shelf."""
        self._task._undo()


class StepHandle:
    """The scheduler's access to the place of a *step* in its flow."""

    __slots__ = ("_step",)

    def __init__(self, step: Step) -> None:
        self._step = step

    @property
    def group(self) -> Composite | None:
        """The chain or group that the step is of, if it is of one."""
        group: Composite | None = self._step._group
        return group

    @property
    def prerequisites(self) -> Prerequisites | None:
        """The steps that it waits for, if it waits for any."""
        after = self._step._after
        return after if isinstance(after, Prerequisites) else None

    @property
    def is_begun(self) -> bool:
        """Whether a composite has been begun, and not been renewed since."""
        return isinstance(self._step, Composite) and self._step._is_begun

    def linked(self, has_finished: bool) -> Step | None:
        """Return what a group of the first layout is followed by."""
        step: Step | None = self._step._follower if has_finished else self._step._rollback
        return step

    def begin(self, connection: Connection) -> None:
        """Put the task into the spool, unless it is at work."""
        if isinstance(self._step, BaseTask):
            self._step._begin(connection)


class FollowingHandle:
    """The scheduler's access to a *task* that follows an object."""

    __slots__ = ("_task",)

    def __init__(self, task: FollowingTask) -> None:
        self._task = task

    @property
    def subject(self) -> Any:
        """The object that the task follows."""
        return self._task._followed()

    @property
    def date(self) -> float | None:
        """The date in seconds since 1970 that the task waits for; None while it rests."""
        return self._task._date

    @date.setter
    def date(self, date: float) -> None:
        self._task._date = date

    @property
    def met(self) -> float | None:
        """The date of the last run, in seconds since 1970."""
        return self._task._met

    def wanted_on(self) -> float | None:
        """Return the date that the object gives now, in seconds since 1970."""
        return self._task._wanted_on()

    def rest(self) -> None:
        """Move to NONE until the object gives a date again."""
        self._task._rest()

    def wait_for(self, date: float) -> None:
        """Move to QUEUED for *date*, in seconds since 1970."""
        self._task._wait_for(date)


def note_end(element: TimedEvent, ended: datetime) -> None:
    """Note that *element*, a task or an occurrence, has ended."""
    element._ended = ended.timestamp()
