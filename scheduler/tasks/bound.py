"""Tasks that are bound to an object: they move with it, and go when it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler import states
from scheduler.clock import moment, stamp
from scheduler.inbox.bindings import bindings_of
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask


class FollowingTask(BaseTask):
    """A task that is due when a persistent object says so: `getStartOn`, None for not at all.

    Code that changes the object calls `Client.follow(obj)` in the same transaction; so the task
    moves with the object, rests while there is no date for it, and is due again when there is
    one. It has run for a date once and for all: after that, only a date that is still to come
    makes it due again.
    """

    _date: float | None = None  # what it is at work for; None while it rests, and when it has run
    _met: float | None = None  # what it has run for last

    def _followed(self) -> Persistent:
        """Return the object that it is bound to."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it is bound to")

    def getDueOn(self) -> datetime | None:
        """Return when the task is to be taken up next, as the queue has it if it is there."""
        if self._status == states.TASK_STATUS_QUEUED and not self.isPaused():
            return moment(self._queued_for)
        return super().getDueOn()

    def _enter(self, connection: Connection) -> None:
        """Give the task to the scheduler; its object is stored with it, if it was not."""
        bindings_of(connection)  # planted now, while there may be nothing that it would join
        if self._followed()._p_oid is None:
            connection.add(self._followed())
        super()._enter(connection)

    def _wanted_on(self) -> float | None:
        """Return the date that the object gives now, since 1970."""
        date = self.getStartOn()
        return None if date is None else stamp(date)

    def _instead_of_run(self, now: datetime) -> Callable[[], None] | None:
        """Return what is done where the object has changed after the task was given out."""
        wanted = self._wanted_on()
        if wanted is None:
            return self._rest
        if wanted != self._date and wanted > now.timestamp():
            return lambda: self._wait_for(wanted)
        return super()._instead_of_run(now)

    def _rest(self) -> None:
        self._forget()
        self._date = None
        self._begin_anew()

    def _wait_for(self, date: float) -> None:
        self._queue(date)
        self._date = date
        self._begin_anew()

    def _finish(self, attempt: Attempt, result: Any = None) -> None:
        """Record a run that succeeded, with the date that it was for."""
        self._meet()
        super()._finish(attempt, result)

    def _end(self, attempt: Attempt) -> None:
        """Record the last run, with the date that it was for."""
        self._meet()
        super()._end(attempt)

    def _expire(self, now: datetime, why: str) -> None:
        """Record that it was too late for a run, with the date that it would have been for."""
        self._meet()
        super()._expire(now, why)

    def _meet(self) -> None:
        self._met = self._wanted_on() or self._date
        self._date = None
        self._begin_occurrence()

    def _ended_element(self) -> Any:
        """Return what goes into the index of ended runs: nothing where there was no run."""
        return self if self._status in states.ENDED else None


class BoundTask(FollowingTask):
    """A task about *subject*, a persistent object that says when the task is due.

    A subclass overrides `getStartOn`, which gets the date from `self.subject`: None where there
    is none, or where the object is no longer in its place.
    """

    def __init__(self, subject: Persistent, expiryDate: datetime | None = None) -> None:
        super().__init__(expiryDate)
        self.subject = subject

    def _followed(self) -> Persistent:
        return self.subject
