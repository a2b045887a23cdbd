"""Escaped changes: those of watched classes that were committed and not recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from BTrees.LOBTree import LOBTree
from persistent import Persistent
from persistent.TimeStamp import TimeStamp
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from livesync.capture.recorder import CHANGED, CREATED, record_change
from livesync.feed.manager import SyncManager
from livesync.objects.watched_classes import table_of
from scheduler.store.schema import Schema
from scheduler.store.snapshot import reading_storage

OBJECTS_SHOWN = 10
REMEDY = "record them with `indico_livesync escaped --record`"


class Escape(NamedTuple):
    """One transaction that changed objects of watched classes through a connection of another make.

    *objects* are their numbers in the database, each with the name of its class.
    """

    tid: int
    user: str
    description: str
    objects: tuple[tuple[int, str], ...]

    @property
    def date(self) -> datetime:
        """When it was committed, in UTC."""
        return datetime.fromtimestamp(TimeStamp(p64(self.tid)).timeTime(), UTC)

    def __str__(self) -> str:
        counts = Counter(kind for _, kind in self.objects)
        kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(counts.items()))
        numbers = ", ".join(f"{number:#x}" for number, _ in self.objects[:OBJECTS_SHOWN])
        more = len(self.objects) - OBJECTS_SHOWN
        return (
            f"transaction {self.tid:016x} of {self.date:%Y-%m-%d %H:%M:%S} UTC by user "
            f"{self.user!r} ({self.description!r}) changed objects that were not recorded: {kinds} "
            f"({numbers}{f' and {more} more' if more > 0 else ''})"
        )


class Escapes(Persistent):
    """The escaped changes that are not recorded yet, and up to where commits were checked.

    Conflict behaviour: written by a check that finds something, and by the command that records
    it; of two at the same time one repeats.
    """

    def __init__(self) -> None:
        self.checked = 0
        """The last transaction that was checked; a check that finds nothing notes it seldom."""
        self._found = LOBTree()

    def add(self, found: Iterable[Escape], checked: int) -> list[Escape]:
        """Keep what was *found* up to transaction *checked*; return what of it is new."""
        new = [each for each in found if each.tid > self.checked]
        self._found.update({each.tid: each for each in new})
        self.checked = max(checked, self.checked)
        return new

    def all(self) -> list[Escape]:
        """Return those that are not recorded yet, oldest first."""
        return list(self._found.values())

    def record(self, escape: Escape) -> list[int]:
        """Record the changes of *escape* now; return the numbers of objects that are gone.

        Raises IdentifyException.
        """
        self._found.pop(escape.tid, None)
        gone = []
        for number, _ in escape.objects:
            if not _record(self._p_jar, escape.tid, number):
                gone.append(number)
        return gone


SCHEMA = Schema("escapes", 1, Escapes)


def escapes_of(connection: Connection) -> list[Escape]:
    """Return the escaped changes that are not recorded yet, oldest first."""
    return SCHEMA.get(connection).all() if SCHEMA.exists(connection) else []


def count(connection: Connection) -> int:
    """Return how many transactions with escaped changes are not recorded yet."""
    return len(escapes_of(connection))


def _record(connection: Connection, tid: int, number: int) -> bool:
    """Record the change of object *number*; return whether it is still there."""
    try:
        obj = connection.get(p64(number))
        obj._p_activate()
    except POSKeyError:
        return False
    watched = table_of(connection).of(type(obj))
    if watched is not None:
        manager = SyncManager.getDBInstance(connection)
        record_change(
            manager, obj, watched, CHANGED if _existed(connection, tid, number) else CREATED
        )
    return True


def _existed(connection: Connection, tid: int, number: int) -> bool:
    try:
        with reading_storage(connection.db()) as storage:
            return storage.loadBefore(p64(number), p64(tid)) is not None
    except POSKeyError:
        return False
