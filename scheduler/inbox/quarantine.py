"""The quarantine: objects that cannot be read or carried out, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from scheduler.clock import moment, nowutc
from scheduler.store import Schema

NUMBERS = range(2**63)
"""The numbers that the database can give to an object, and so to a task."""


class QuarantineEntry(NamedTuple):
    """An object in quarantine, which may be a ghost that cannot be loaded."""

    obj: Any
    reason: str
    since: datetime

    @property
    def number(self) -> int:
        """The task's number."""
        return int(u64(self.obj._p_oid))


class Quarantine(Persistent):
    """The objects in quarantine by their ids.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._objects = OOBTree()  # object id -> (object, reason, since)

    def add(self, obj: Any, reason: str) -> None:
        """Add *obj* because of *reason*."""
        self._objects[obj._p_oid] = (obj, reason or "unknown", nowutc().timestamp())

    def add_all(self, entries: OOBTree) -> None:
        """Add *entries* as an earlier version had stored them."""
        self._objects.update(entries)

    def discard(self, obj: Any) -> bool:
        """Remove *obj*; return whether it was in quarantine."""
        return self._objects.pop(obj._p_oid, None) is not None

    def get(self, oid: bytes) -> QuarantineEntry | None:
        """Return the entry of the object with this id; None if it is not in quarantine."""
        entry = self._objects.get(oid)
        return entry and QuarantineEntry(entry[0], entry[1], moment(entry[2]))

    def of(self, number: int) -> QuarantineEntry | None:
        """Return the entry of task *number*; None where it has none, or is no task's number."""
        return self.get(p64(number)) if number in NUMBERS else None

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._objects

    def __iter__(self) -> Iterator[QuarantineEntry]:
        """Yield the entries, by number."""
        return (
            QuarantineEntry(obj, why, moment(since)) for obj, why, since in self._objects.values()
        )

    def behind(self, number: int) -> Iterator[QuarantineEntry]:
        """Yield the entries with a number greater than *number*, by number."""
        return (
            QuarantineEntry(obj, why, moment(since))
            for obj, why, since in self._objects.values(p64(number), excludemin=True)
        )

    def __len__(self) -> int:
        return len(self._objects)


SCHEMA = Schema("quarantine", 1, Quarantine)


def quarantine_of(connection: Connection) -> Quarantine:
    """Return the quarantine in the database of *connection*."""
    return SCHEMA.get(connection)


def is_quarantined(obj: Persistent) -> bool:
    """Return whether *obj* is in quarantine, without loading it."""
    connection = obj._p_jar
    if connection is None or obj._p_oid is None or not SCHEMA.exists(connection):
        return False
    return obj._p_oid in SCHEMA.get(connection)
