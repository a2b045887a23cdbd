"""The wait for a result: until the end of a task is committed, here or in another process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from scheduler.tasks.composite import Composite, Step, below
from scheduler.tasks.handle import StepHandle
from scheduler.tasks.recurring import RecurringTask


def wait_for(task: BaseTask | Composite, timeout: float | None = None) -> Any:
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


def _awaitable(task: BaseTask | Composite) -> Any:
    """Return the connection of *task*; raise an error where it cannot be waited for."""
    if isinstance(task, RecurringTask):
        raise TypeError(f"{task!r} is run again and again: it has no result to wait for")
    if not isinstance(task, BaseTask | Composite):
        raise TypeError(f"{task!r} is neither a task nor a chain or group")
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


def _has_finished(step: BaseTask | Composite) -> bool:
    """Say whether *step* has finished; raise an error where it never will."""
    try:
        return _composite_has(step) if isinstance(step, Composite) else _task_has(step)
    except POSKeyError:
        raise TaskNotFoundException(f"{step!r} is gone: it was deleted") from None


def _task_has(task: BaseTask) -> bool:
    state = task.getStatus()
    if state == states.TASK_STATUS_NONE:
        return _has_yet_to_come(task)
    if state not in states.ENDED or _is_to_run_again(task, [task]):
        return False
    if state == states.TASK_STATUS_FINISHED:
        return True
    if _is_to_run_again(task, _connected(task)):
        return False
    raise TaskFailed(_failure_of(task))


def _has_yet_to_come(task: BaseTask) -> bool:
    """Return False for a task that has its turn behind another; raise where it is gone."""
    before = task._group or task._after
    if not isinstance(before, BaseTask | Composite):
        raise TaskNotFoundException(
            f"{task!r} is gone: it was dequeued, or turned away because of its unique key"
        )
    _has_finished(before)
    return False


def _composite_has(composite: Composite) -> bool:
    if composite.hasFinished() is False:
        if _is_to_run_again(composite, _connected(composite)):
            return False
        raise TaskFailed(f"{composite!r} has failed: {_failure_in(composite)}")
    return composite.hasFinished() is True


def _failure_in(composite: Composite) -> str:
    """Return the reason of the first step that has ended without having finished."""
    for step in below(composite):
        if isinstance(step, BaseTask) and step.getStatus() in _ENDS:
            return _failure_of(step)
    return "a step of it is gone"


def _failure_of(task: BaseTask) -> str:
    last = task.getAttempts()[-1:]
    reason = last[0].message if last else "no attempt is on record"
    return f"{task!r} has {_ENDS[task.getStatus()]}: {reason}"


def _is_to_run_again(step: Step, causes: Iterable[Step]) -> bool:
    """Say whether one of *causes* is to be started again, by which *step* may yet finish."""
    begun = {id(obj) for op, obj in spool_of(step._p_jar) if op == ADD}
    return bool(begun) and any(id(cause) in begun for cause in causes)


def _connected(step: Step) -> Iterator[Step]:
    """Yield *step*, what it is a part of or consists of, and what that waits for."""
    rest: list[Step] = [step]
    seen: set[int] = set()
    while rest:
        each = rest.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        handle = StepHandle(each)
        rest += [] if handle.group is None else [handle.group]
        rest += [] if handle.prerequisites is None else handle.prerequisites.steps()
        rest += each.getSteps() if isinstance(each, Composite) else []


LONG = 3600.0
_ENDS = {
    states.TASK_STATUS_FAILED: "failed",
    states.TASK_STATUS_TERMINATED: "been terminated",
    states.TASK_STATUS_ABORTED: "been cancelled",
}
