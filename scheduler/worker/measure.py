"""The measure of an attempt: its name, queue and ending, and what it took; metrics count it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scheduler.states import TASK_STATUS_ABORTED, TASK_STATUS_FAILED, TASK_STATUS_TERMINATED
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle

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

    def ended(
        self, task: BaseTask, shelf: int | None, committed: float = 0.0, *, shared: bool = False
    ) -> Measure:
        """Return it with the ending that *task* bears, on its way to *shelf* (None for none)."""
        ending = _ending(TaskHandle(task), shelf, self.attempt)
        return Measure(*self[:5], committed, shared, ending, self.lost)


def seconds_waited(task: BaseTask, started: datetime) -> float:
    """Return how long an attempt at *task* that begins now, at *started*, had to wait."""
    due = TaskHandle(task).queued_for
    if due < 0:  # it went from the spool to a worker, and has stood in no queue
        date = task.getDueOn()
        due = (task.createdOn if date is None else max(task.createdOn, date)).timestamp()
    return max(0.0, started.timestamp() - due)


def _ending(handle: TaskHandle, shelf: int | None, attempt: int) -> str:
    if shelf is not None:
        return _OF_STATE.get(shelf, SUCCEEDED)
    if handle.retry_on is None:
        return SUCCEEDED
    return RETRIED if handle.tries >= attempt else PUT_OFF
