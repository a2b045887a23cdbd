"""Occurrences: the ended runs of a periodic task."""

from __future__ import annotations

from typing import Any

from scheduler.states import TASK_STATUS_FINISHED
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.event import Rank, TimedEvent, rank_of


class TaskOccurrence(TimedEvent):
    """One ended run of a periodic task: when it began and ended, and its attempts.

    Written once, by the worker that ran it; then never changed. It is that of *task* as it has
    ended now; *of* is the periodic task where *task* is a run of it.
    """

    _attempts: tuple[tuple[Any, ...], ...] = ()

    def __init__(self, task: BaseTask, *, of: BaseTask | None = None) -> None:
        self._task = of or task
        self._number: int | None = None
        self._started, self._ended = task._started, task._ended  # noqa: SLF001 (as it stores them)
        if attempts := task._attempts:  # noqa: SLF001 (as it stores them)
            self._attempts = attempts

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

    @property
    def message(self) -> str:
        """Why the run did not succeed; empty for one that did."""
        attempts = self.getAttempts()
        return attempts[-1].message if attempts else ""

    def getStatus(self) -> int:
        """Return how the run ended: the state of its last try."""
        return int(self._attempts[-1][3]) if self._attempts else TASK_STATUS_FINISHED

    def getAttempts(self) -> tuple[Attempt, ...]:
        """Return the records of the tries, oldest first."""
        return tuple(Attempt.unpacked(stored) for stored in self._attempts)

    def _rank(self) -> Rank:
        oid, unstored, _ = rank_of(self._task)
        return oid, unstored, 1 if self._number is None else self._number + 1

    def __repr__(self) -> str:
        return f"[{type(self).__name__}:{self.getUniqueId()}]"
