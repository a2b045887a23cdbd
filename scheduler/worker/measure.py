"""The measure of an attempt: its name, queue and ending, and what it took; metrics count it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scheduler.states import TASK_STATUS_ABORTED, TASK_STATUS_FAILED, TASK_STATUS_TERMINATED
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of

SUCCEEDED, RETRIED, DEAD = "succeeded", "retried", "dead"
PUT_OFF, CANCELLED = "put off", "cancelled"
ENDINGS = (SUCCEEDED, RETRIED, DEAD, PUT_OFF, CANCELLED)
_OF_STATE = {
    TASK_STATUS_FAILED: DEAD,
    TASK_STATUS_TERMINATED: DEAD,
    TASK_STATUS_ABORTED: CANCELLED,
}


class Measure(NamedTuple):
    """An attempt in numbers; times are seconds."""

    name: str
    """The dotted name of the task's class, or of the function that it calls."""
    queue: str
    """The name of its queue; "" for the ordinary one."""
    attempt: int
    """The number of the attempt, from 1."""
    waited: float = 0.0
    """From the date at which it was due to its begin."""
    ran: float = 0.0
    """From its begin to its commit."""
    committed: float = 0.0
    """For the commit, which it may have shared with others."""
    shared: bool = False
    """Whether another attempt of the same commit tells of that commit."""
    ending: str = PUT_OFF
    """One of ENDINGS."""
    lost: bool = False
    """Whether its worker was lost."""

    @classmethod
    def begun(cls, task: BaseTask, started: datetime) -> Measure:
        """Return the measure of an attempt at *task* that begins now, before it is recorded."""
        handle = TaskHandle(task)
        waited = max(0.0, started.timestamp() - handle.queued_for)
        return cls(name_of(task), task.queueName, handle.tries + 1, waited)

    def ended(self, task: BaseTask, shelf: int | None) -> Measure:
        """Return it with the ending that *task* bears, on its way to *shelf* (None for none)."""
        if shelf is not None:
            return self._replace(ending=_OF_STATE.get(shelf, SUCCEEDED))
        handle = TaskHandle(task)
        if handle.retry_on is None:
            return self._replace(ending=SUCCEEDED)
        return self._replace(ending=RETRIED if handle.tries >= self.attempt else PUT_OFF)
