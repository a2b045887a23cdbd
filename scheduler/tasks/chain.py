"""Chains: tasks that are run one after the other, each when the one before it has finished.

A chain is nothing but links between its steps, so it may be of any length: a run that succeeds
enqueues the next step in its own commit. A step that fails for good, or is cancelled, enqueues
the compensation of the nearest step before it, and that, when it is done, the one before.
"""

from __future__ import annotations

from typing import TypeAlias

from scheduler.states import TASK_STATUS_NONE
from scheduler.tasks.base import BaseTask
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.recurring import RecurringTask
from scheduler.tasks.size import refuse_script

Step: TypeAlias = BaseTask | TaskGroup


def chain(*steps: Step | tuple[Step, BaseTask]) -> Step:
    """Link *steps* in this order; return the first one, for `Client.enqueue` of all.

    A step is a task, or a `TaskGroup`, or a pair of one and the task that undoes it should a
    later step fail. Raises TypeError for what is run again and again, and ValueError for a task
    that is enqueued or linked already.
    """
    if not steps:
        raise ValueError("a chain needs a step")
    pairs = [each if isinstance(each, tuple) else (each, None) for each in steps]
    before: Step | None = None
    undoing: BaseTask | None = None
    for step, compensation in pairs:
        _check(step)
        if before is not None:
            before._follower, step._after = step, before
        if undoing is not None:
            step._rollback = undoing
        if compensation is not None:
            _check(compensation)
            compensation._after = step
            if undoing is not None:
                compensation._follower = undoing
            undoing = compensation
        before = step
    return pairs[0][0]


def _check(step: Step) -> None:
    if isinstance(step, RecurringTask) or not isinstance(step, BaseTask | TaskGroup):
        raise TypeError(f"{step!r} cannot be a step: only what is run once comes to an end")
    refuse_script(step)
    is_linked = step._after is not None or step._follower is not None
    if is_linked or (isinstance(step, BaseTask) and step.getStatus() != TASK_STATUS_NONE):
        raise ValueError(f"{step!r} is enqueued or linked already")
