"""Outcomes: how runs ended, told to the scheduler by workers, or by the tasks themselves."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scheduler.errors import TaskInconsistentStatusException
from scheduler.inbox.claims import Claim
from scheduler.states import ENDED, TASK_STATUS_NONE, TASK_STATUS_QUEUED
from scheduler.tasks.attempt import moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.worker.conflict_report import ConflictReport
from scheduler.worker.measure import Measure


class Outcome(NamedTuple):
    """How a claim ended: what the scheduler needs to know to put the task on its next shelf."""

    claim: Claim
    shelf: int | None = None
    """The state under which the task, or its occurrence, has ended; None if it has not."""
    ended: datetime | None = None
    due: datetime | None = None
    """When the task is to be taken up again; None for never."""
    unloadable: str = ""
    """Why the task could not be loaded, if it could not."""
    element: bytes | None = None
    """The object id of what has ended, the task or an occurrence; None for one not stored yet."""
    group: bytes | None = None
    """The object id of the group that the task is of, if it is of one."""
    signal: str = ""
    """The signal that the task waits for, if it does."""
    conflict: ConflictReport | None = None
    """The object over which the run conflicted, if it did."""
    measure: Measure | None = None
    """The attempt in numbers; None without an attempt, or where its worker is lost."""


def outcome_of(task: BaseTask, claim: Claim) -> Outcome:
    """Return the outcome that a settled task bears itself.

    Raises TaskInconsistentStatusException for one that says that it has not ended.
    """
    handle = TaskHandle(task)
    if handle.retry_on is not None:
        return Outcome(claim, due=moment(handle.retry_on), signal=handle.awaited)
    element = handle.ended_element()
    comes_back = element is not task and handle.status == TASK_STATUS_QUEUED
    due = moment(handle.queued_for) if comes_back else None
    if element is None:
        return Outcome(claim, due=due)
    ended = task.getEndedOn()
    group = None if handle.group is None else handle.group._p_oid
    shelf = handle.status if element is task else element.getStatus()
    if shelf not in ENDED and shelf != TASK_STATUS_NONE:
        raise TaskInconsistentStatusException(f"its run is over, and its state is {shelf!r}")
    return Outcome(claim, shelf, ended, due, element=element._p_oid, group=group)


def measured(
    outcome: Outcome,
    task: BaseTask,
    measure: Measure,
    seconds: float = 0.0,
    *,
    is_shared: bool = False,
) -> Outcome:
    """Return *outcome* with the *measure* of its attempt at *task*, whose commit took *seconds*."""
    ended = measure.ended(task, outcome.shelf, seconds, shared=is_shared)
    return Outcome(*outcome[:-1], measure=ended)


def check_claim(claim: Claim, task: BaseTask) -> None:
    """Raise TaskInconsistentStatusException where *task* cannot be at work on *claim*."""
    settled: object = TaskHandle(task).settled
    if not isinstance(settled, int):
        raise TaskInconsistentStatusException(f"_settled is {settled!r}, which is no whole number")
    if settled > claim.number:
        raise TaskInconsistentStatusException(
            f"claim {settled} on it has ended, while claim {claim.number} is the last one"
        )
