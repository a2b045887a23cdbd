"""Tasks that are run again and again, by a recurrence rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from BTrees.IOBTree import IOBTree

from scheduler import states
from scheduler.clock import nowutc
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask, aware
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.rule import Rule


class PeriodicTask(BaseTask):
    """A task that is run at each date of a rule: `dateutil.rrule.rrule(frequency, **rrule_args)`.

    Dates that were missed are skipped: at most one late run, then the next date to come. A
    run that fails for good is recorded as an occurrence, and the rule goes on.
    """

    _comes_back = True

    def __init__(self, frequency: int, **rrule_args: Any) -> None:
        super().__init__(rrule_args.pop("expiryDate", None))
        self._rule = Rule(frequency, rrule_args)
        self._next: datetime | None = self._rule.first()
        self._occurrences = IOBTree()

    def getStartOn(self) -> datetime | None:
        """Return the date of the next occurrence, in UTC; None when there is none."""
        return self._next

    def setStartOn(self, dt: datetime) -> None:
        """Set the date of the next occurrence; the rule goes on behind it."""
        self._next = aware(dt, "the start date").astimezone(UTC)

    def setNextOccurrence(self, dateAfter: datetime | None = None) -> datetime | None:
        """Move on to the rule's first date behind *dateAfter* (now), and return it.

        It is later than the present one too. None when the rule is exhausted.
        """
        if self._next is None:
            return None
        after = nowutc() if dateAfter is None else aware(dateAfter, "dateAfter")
        self._next = self._rule.after(max(self._next, after))
        return self._next

    def addOccurrence(self, o: TaskOccurrence) -> None:
        """Keep *o* with the task, under the next number."""
        o.setId(self._occurrences.maxKey() + 1 if self._occurrences else 0)
        self._occurrences[o.getId()] = o

    def getOccurrences(self) -> list[TaskOccurrence]:
        """Return the ended runs, oldest first."""
        return list(self._occurrences.values())

    def shouldComeBack(self) -> bool:
        """Say whether the task is to be run again after this time."""
        return self._comes_back

    def dontComeBack(self) -> None:
        """Make this time the last one."""
        self._comes_back = False

    def _finish(self, attempt: Attempt, result: Any = None) -> None:
        """Record a run that succeeded as an occurrence, and turn to the next date."""
        super()._finish(attempt, result)
        self._turn()

    def _end(self, attempt: Attempt) -> None:
        """Record a run after which there is none as an occurrence, and turn to the next date."""
        super()._end(attempt)
        self._turn()

    def _ended_element(self) -> BaseTask | TaskOccurrence:
        """Return the last occurrence; the task where that has been ended as a whole."""
        if self._status in (states.TASK_STATUS_TERMINATED, states.TASK_STATUS_ABORTED):
            return self
        last: TaskOccurrence = self._occurrences[self._occurrences.maxKey()]
        return last

    def _turn(self) -> None:
        self.addOccurrence(TaskOccurrence(self))
        self._attempts = ()  # they stand with the occurrence now
        self._tries = 0
        if self.shouldComeBack() and self.setNextOccurrence() is not None:
            self._status = states.TASK_STATUS_QUEUED


class PeriodicUniqueTask(PeriodicTask):
    """A periodic task of which there is one: never are two of a key queued or running.

    The key is the class, unless `uniqueKey` is overridden. A second one is turned away by the
    scheduler when it comes out of the spool; the task that is there goes on.
    """

    def uniqueKey(self) -> str:
        """Return what there may be one of."""
        return f"{type(self).__module__}.{type(self).__qualname__}"
