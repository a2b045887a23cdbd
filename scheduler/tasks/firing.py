"""Firings: the runs of a recurring task that may go on at the same time."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.inbox.spool import PAUSE, spool_of
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.oneshot import OneShotTask

if TYPE_CHECKING:
    from scheduler.tasks.recurring import RecurringTask


class _OfTheTask:
    """An attribute that a firing has from the task that it is a run of."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, firing: Firing | None, owner: type) -> Any:
        return self if firing is None else getattr(firing.task, self._name)


class Firing(OneShotTask):
    """One run of a recurring task, as a task of its own.

    Conflict behaviour: it is written by its worker alone, as is its occurrence; the task
    it is a run of is only read.
    """

    alone = True
    maxTries = _OfTheTask()
    retries = _OfTheTask()
    softLimit = _OfTheTask()
    hardLimit = _OfTheTask()
    queueName = _OfTheTask()
    priority = _OfTheTask()
    keyLimit = _OfTheTask()
    keyRate = _OfTheTask()
    keyPeriod = _OfTheTask()
    inOrder = _OfTheTask()

    encrypted = _OfTheTask()
    _origin = _OfTheTask()
    _occurrence: TaskOccurrence | None = None

    def __init__(self, task: RecurringTask, number: int, date: datetime) -> None:
        super().__init__(date)
        self.task = task
        self.number = number

    def run(self) -> Any:
        """Run the task that this is a run of."""
        return self.task.run()

    def limitKey(self) -> str | None:
        """Return the limit key of the task."""
        return self.task.limitKey()

    def tearDown(self) -> None:
        """Clean up as the task does."""
        self.task.tearDown()

    def getLogger(self) -> logging.Logger:
        """Return the logger of the task."""
        return self.task.getLogger()

    def _full_name(self) -> str:
        return self.task._full_name()  # noqa: SLF001 (the same method of its task)

    def _short_name(self) -> str:
        return self.task._short_name()  # noqa: SLF001 (the same method of its task)

    def _shown_arguments(self) -> str | None:
        return self.task._shown_arguments()  # noqa: SLF001 (the same method of its task)

    def _is_coroutine(self) -> bool:
        return self.task._is_coroutine()  # noqa: SLF001 (the same method of its task)

    def _occurrence_number(self) -> int:
        return self.number

    def getOccurrence(self) -> TaskOccurrence | None:
        """Return the record of this run; None before it has ended."""
        return self._occurrence

    def _finish(self, attempt: Attempt, result: Any = None) -> None:
        """Record that the run succeeded."""
        super()._finish(attempt, result)
        self._note()

    def _end(self, attempt: Attempt) -> None:
        """Record that the run failed for good, or was ended."""
        super()._end(attempt)
        self._note()
        if self.task.pauseOnFailure:
            spool_of(self._p_jar).put(PAUSE, self.task)

    def _ended_element(self) -> Any:
        """Return the occurrence; the firing itself where it was cancelled."""
        return self._occurrence or self

    def _note(self) -> None:
        self._occurrence = TaskOccurrence(self, of=self.task)
        self._occurrence.setId(self.number)


class BackfilledFiring(Firing):
    """A run of a recurring task for a date that is long past; the next date waits for its end.

    Conflict behaviour: that of a firing.
    """

    keyLimit = 1
    keyRate = None
    inOrder = True

    def limitKey(self) -> str:
        """Return the key of all such runs of one task."""
        return f"backfill {self.task.getId()}"
