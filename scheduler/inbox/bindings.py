"""Bonds: which tasks live and die with which objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.inbox.spool import FOLLOW, spool_of
from scheduler.store import Schema

if TYPE_CHECKING:
    from scheduler.tasks.bound import FollowingTask


class Bindings(Persistent):
    """The tasks that are bound to objects, by object; written by the scheduler alone."""

    def __init__(self) -> None:
        self._tasks = LOBTree()  # number of the object -> tasks

    def add(self, task: FollowingTask) -> None:
        """Bind *task* to its object, if it is not; one that stands for itself has none."""
        if task._followed() is task:
            return
        bound = self.of(task._followed())
        if task not in bound:
            self._tasks[u64(task._followed()._p_oid)] = (*bound, task)

    def remove(self, task: FollowingTask) -> None:
        """Loose *task* from its object; nothing if it is not bound."""
        rest = tuple(each for each in self.of(task._followed()) if each is not task)
        number = u64(task._followed()._p_oid)
        if rest:
            self._tasks[number] = rest
        else:
            self._tasks.pop(number, None)

    def of(self, subject: Any) -> tuple[FollowingTask, ...]:
        """Return the tasks that are bound to *subject*."""
        found: tuple[FollowingTask, ...] = self._tasks.get(u64(subject._p_oid), ())
        return found


BRANCH = Schema("bonds", 1, Bindings)


def bonds_of(connection: Connection) -> Bindings:
    """Return the bonds of the database that *connection* is to."""
    return BRANCH.get(connection)


def follow(obj: Any) -> None:
    """Let the tasks that are bound to *obj* follow it, once the current transaction is committed.

    To be called by whoever changes *obj*, moves it or takes it out. Costs nothing for an object
    that is not stored yet, and in a database that has no such tasks.
    """
    connection = obj._p_jar
    if connection is None:
        return
    if BRANCH.is_planted(connection):
        spool_of(connection).put(FOLLOW, obj)
    else:
        BRANCH.expect_none(connection)  # the first such task may be enqueued meanwhile
