"""Bindings: the tasks that follow stored objects."""

from __future__ import annotations

from typing import Any

from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.inbox.spool import FOLLOW, spool_of
from scheduler.store import Schema


class Bindings(Persistent):
    """The tasks that are bound to objects, by object.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._tasks = LOBTree()  # number of the object -> tasks

    def add(self, task: Persistent, subject: Any) -> None:
        """Bind *task* to *subject*; nothing if it is bound, or is its own object."""
        bound = self.of(subject)
        if subject is not task and task not in bound:
            self._tasks[u64(subject._p_oid)] = (*bound, task)

    def remove(self, task: Persistent, subject: Any) -> None:
        """Unbind *task* from *subject*; nothing if it is not bound."""
        rest = tuple(each for each in self.of(subject) if each is not task)
        number = u64(subject._p_oid)
        if rest:
            self._tasks[number] = rest
        else:
            self._tasks.pop(number, None)

    def of(self, subject: Any) -> tuple[Any, ...]:
        """Return the tasks that are bound to *subject*."""
        found: tuple[Any, ...] = self._tasks.get(u64(subject._p_oid), ())
        return found


SCHEMA = Schema("bindings", 1, Bindings)


def bindings_of(connection: Connection) -> Bindings:
    """Return the bindings in the database of *connection*."""
    return SCHEMA.get(connection)


def follow(obj: Any) -> None:
    """Update the tasks that are bound to *obj* once the current transaction is committed.

    Call it whenever *obj* is changed, moved or removed. It costs nothing for an object that is
    not stored yet, and in a database without such tasks.
    """
    connection = obj._p_jar
    if connection is None:
        return
    if SCHEMA.exists(connection):
        spool_of(connection).put(FOLLOW, obj)
    else:
        SCHEMA.expect_none(connection)  # the first such task may be enqueued meanwhile
