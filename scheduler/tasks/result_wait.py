"""The wait for a result: until the end of a task is committed, here or in another process."""

from __future__ import annotations

from time import monotonic
from typing import Any

from ZODB.POSException import POSKeyError

from scheduler import states
from scheduler.errors import (
    SchedulerException,
    TaskFailed,
    TaskNotCommitted,
    TaskNotFoundException,
    WaitTimeoutError,
)
from scheduler.inbox.spool import ADD, spool_of
from scheduler.runtime.context import current_run
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.schema import has_changes
from scheduler.tasks.base import BaseTask
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.recurring import RecurringTask


def wait_for(task: BaseTask | TaskGroup, timeout: float | None = None) -> Any:
    """Return the result of *task* once it has finished, see `Client.waitFor`."""
    connection = _awaitable(task)
    deadline = None if timeout is None else monotonic() + timeout
    wake = CommitSignal(connection.db())
    try:
        while True:
            connection.newTransaction(None)  # nothing was changed in it: it sees what is new
            if _has_finished(task):
                return task.getResult()
            rest = LONG if deadline is None else deadline - monotonic()
            if rest <= 0:
                raise WaitTimeoutError(f"{task!r} has not ended within {timeout:g} s")
            wake.wait(rest)
    finally:
        wake.close()


def _awaitable(task: BaseTask | TaskGroup) -> Any:
    """Return the connection of *task*; raise an error where it cannot be waited for."""
    if isinstance(task, RecurringTask):
        raise TypeError(f"{task!r} is run again and again: it has no result to wait for")
    if not isinstance(task, BaseTask | TaskGroup):
        raise TypeError(f"{task!r} is neither a task nor a group")
    if current_run() is not None:
        raise SchedulerException(
            f"an attempt cannot wait for {task!r}: it would keep its worker; make that task and "
            "the rest of this one the steps of a chain"
        )
    if task._p_jar is None or has_changes(task._p_jar):
        raise TaskNotCommitted(
            f"{task!r} is waited for in a transaction with changes: commit it before, as the "
            "scheduler sees a task only then"
        )
    return task._p_jar


def _has_finished(step: BaseTask | TaskGroup) -> bool:
    """Say whether *step* has finished; raise an error where it never will."""
    try:
        return _group_has(step) if isinstance(step, TaskGroup) else _task_has(step)
    except POSKeyError:
        raise TaskNotFoundException(f"{step!r} is gone: it was deleted") from None


def _task_has(task: BaseTask) -> bool:
    state = task.getStatus()
    if state == states.TASK_STATUS_NONE:
        return _has_yet_to_come(task)
    if state not in states.ENDED or _is_to_run_again(task):
        return False
    if state == states.TASK_STATUS_FINISHED:
        return True
    last = task.getAttempts()[-1:]
    reason = last[0].message if last else "no attempt is on record"
    raise TaskFailed(f"{task!r} has {_ENDS[state]}: {reason}")


def _has_yet_to_come(task: BaseTask) -> bool:
    """Return False for a task that has its turn behind another; raise where it is gone."""
    if task._after is None:
        raise TaskNotFoundException(
            f"{task!r} is gone: it was dequeued, or turned away because of its unique key"
        )
    _has_finished(task._after)
    return False


def _group_has(group: TaskGroup) -> bool:
    numbers = group.getStatus()
    if not group._is_begun or numbers["pending"]:
        return False
    if numbers["failed"] and group.onFailure != "continue":
        raise TaskFailed(f"{numbers['failed']} tasks of {group!r} have not finished")
    return True


def _is_to_run_again(task: BaseTask) -> bool:
    return any(op == ADD and obj is task for op, obj in spool_of(task._p_jar))


LONG = 3600.0
_ENDS = {
    states.TASK_STATUS_FAILED: "failed",
    states.TASK_STATUS_TERMINATED: "been terminated",
    states.TASK_STATUS_ABORTED: "been cancelled",
}
