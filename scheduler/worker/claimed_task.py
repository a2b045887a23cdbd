"""The task of a claim, loaded and fit to be run, or the reason why it is not."""

from __future__ import annotations

from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from scheduler.errors import TaskInconsistentStatusException
from scheduler.inbox.claims import Claim
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import forget_broken, reason_of, why_unusable
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.key_limits import check_key_limits
from scheduler.worker.outcome import check_claim


class UnloadableError(Exception):
    """The task's class or state cannot be loaded."""


def claimed_task(connection: Connection, claim: Claim) -> BaseTask:
    """Return the task of *claim*, loaded.

    Raises UnloadableError for a fault of the task; POSKeyError and errors of the database as
    they are.
    """
    try:
        task = connection.get(p64(claim.tid))
        task._p_activate()
    except POSKeyError:
        raise
    except Exception as error:
        if is_transient(error):
            raise
        raise UnloadableError(reason_of(error)) from error
    if not isinstance(task, BaseTask):
        forget_broken(task)
        raise UnloadableError(why_unusable(task))
    if not isinstance(TaskHandle(task).tries, int):
        raise UnloadableError(f"_tries is {TaskHandle(task).tries!r}, which is no whole number")
    try:
        check_claim(claim, task)
        check_key_limits(task, TaskHandle(task).slot)
    except (TaskInconsistentStatusException, ValueError) as error:
        raise UnloadableError(str(error)) from error
    return task
