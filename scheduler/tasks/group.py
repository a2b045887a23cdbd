"""Groups: tasks that are run in any order, and after all of them what follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from BTrees.IOBTree import IOBTree
from BTrees.LLBTree import LLTreeSet
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.inbox.spool import CANCEL, spool_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.recurring import RecurringTask

POLICIES = ("stop", "cancel", "continue")


class TaskGroup(Persistent):
    """Tasks that are run in any order; a step of a chain (`scheduler.tasks.chain`).

    *onFailure* says what becomes of the rest when a task fails for good, is cancelled or
    dequeued: "stop": the others are run, what follows is not; "cancel": the others are cancelled,
    too; "continue": what follows is run all the same. A task that is started again and finishes
    counts as finished. ValueError for another policy; TypeError for tasks that come back.

    Conflict behaviour: written by whoever enqueues it, and from then on by the scheduler
    alone, which learns from each run's outcome that it is over: runs do not meet here.
    """

    _follower: Any = None
    _after: Any = None
    _rollback: Any = None
    _is_begun = False

    def __init__(
        self,
        tasks: Iterable[BaseTask],
        onFailure: Literal["stop", "cancel", "continue"] = "stop",
    ) -> None:
        if onFailure not in POLICIES:
            raise ValueError(f"onFailure is {onFailure!r}; it must be one of {', '.join(POLICIES)}")
        self.onFailure = onFailure
        self._members = IOBTree(dict(enumerate(tasks)))
        self._pending = LLTreeSet()  # numbers of the tasks that have not come to an end
        self._failed = LLTreeSet()  # numbers of those that have, without having finished
        for task in self._members.values():
            if isinstance(task, RecurringTask) or not isinstance(task, BaseTask):
                raise TypeError(f"{task!r} cannot be of a group: only what is run once ends")
            task._group = self

    def getTasks(self) -> list[BaseTask]:
        """Return the tasks, in the order in which they were given."""
        return list(self._members.values())

    def getResult(self) -> list[Any]:
        """Return the results of the tasks, in order; None for one that has not finished."""
        return [task.getResult() for task in self._members.values()]

    def getStatus(self) -> dict[str, int]:
        """Return how many of the tasks are pending, have failed, and have finished.

        All are 0 before the group has its turn.
        """
        if not self._is_begun:
            return {"pending": 0, "failed": 0, "finished": 0}
        pending, failed = len(self._pending), len(self._failed)
        finished = len(self._members) - pending - failed
        return {"pending": pending, "failed": failed, "finished": finished}

    def _enter(self, connection: Connection) -> None:
        """Give all tasks to the scheduler, in the current transaction of *connection*."""
        if self._p_oid is None:
            connection.add(self)
        self._is_begun = True
        for task in self._members.values():
            task._enter(connection)
        self._failed.clear()
        self._pending.update(task.getId() for task in self._members.values())
        if not self._members:
            self._go_on(connection)

    # The methods below are for the scheduler.

    def pending(self) -> list[int]:
        """Return the numbers of the tasks that have not come to an end."""
        return list(self._pending)

    def note(self, connection: Connection, tid: int, has_finished: bool) -> None:
        """Note that task *tid* has come to an end; go on, if it was the last."""
        if tid in self._pending:
            self._pending.remove(tid)
        elif tid not in self._failed or not has_finished:
            return
        if has_finished:
            self._failed.discard(tid)
        else:
            self._failed.insert(tid)
            if self.onFailure == "cancel":
                self._cancel_rest(connection)
        if not self._pending:
            self._go_on(connection)

    def _cancel_rest(self, connection: Connection) -> None:
        spool = spool_of(connection)
        for task in self._members.values():
            if task.getId() in self._pending:
                spool.put(CANCEL, task)

    def _go_on(self, connection: Connection) -> None:
        is_success = not self._failed or self.onFailure == "continue"
        upcoming = self._follower if is_success else self._rollback
        if upcoming is not None:
            upcoming._enter(connection)
