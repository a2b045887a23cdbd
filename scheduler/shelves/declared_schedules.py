"""The declared schedules: which scheduled call stands for which declaration of a function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.storage.outage import is_transient
from scheduler.store import Schema
from scheduler.tasks.scheduled_call import ScheduledCall


class DeclaredSchedule(NamedTuple):
    """A scheduled call, the declaration that it follows, and whether that is there still."""

    task: ScheduledCall
    declaration: tuple[Any, ...]
    is_declared: bool

    @property
    def number(self) -> int:
        """The task's number; the task is not loaded for it."""
        return int(u64(self.task._p_oid))

    @property
    def state(self) -> int | None:
        """The state of the task; None for one that cannot be read."""
        try:
            return self.task.getStatus()
        except Exception as error:
            if is_transient(error):
                raise
            return None


class DeclaredSchedules(Persistent):
    """The declared schedules, by the path of their function.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._entries = OOBTree()  # path of the function -> DeclaredSchedule

    def get(self, path: str) -> DeclaredSchedule | None:
        """Return the schedule of the function *path*; None where none was declared."""
        stored = self._entries.get(path)
        return None if stored is None else DeclaredSchedule(*stored)

    def set(self, path: str, entry: DeclaredSchedule) -> None:
        """Keep *entry* for the function *path*; an equal one is not written again."""
        if self._entries.get(path) != tuple(entry):
            self._entries[path] = tuple(entry)

    def forget(self, path: str) -> None:
        """Forget the schedule of the function *path*."""
        del self._entries[path]

    def forget_task(self, task: object) -> None:
        """Forget the schedule whose task is *task*, if there is one; it is not loaded."""
        for path in [path for path, entry in self if entry.task is task]:
            self.forget(path)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[str, DeclaredSchedule]]:
        for path, stored in self._entries.items():
            yield path, DeclaredSchedule(*stored)


SCHEMA = Schema("declared", 1, DeclaredSchedules)


def declared_schedules(connection: Connection) -> DeclaredSchedules:
    """Return the declared schedules in the database of *connection*; made on its first use."""
    return SCHEMA.get(connection)


def known_schedules(connection: Connection) -> Iterator[tuple[str, DeclaredSchedule]]:
    """Yield the declared schedules with the paths of their functions; nothing is made for it."""
    if SCHEMA.exists(connection):
        yield from SCHEMA.get(connection)


def forget_schedule_of(connection: Connection, task: object) -> None:
    """Forget the declared schedule whose task is *task*, which is deleted unread."""
    if SCHEMA.exists(connection):
        SCHEMA.get(connection).forget_task(task)
