"""The quarantine: what cannot be read or carried out, kept with the reason until it can be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.clock import moment, nowutc
from scheduler.store import Schema


class Aside(NamedTuple):
    """An object in quarantine, which may be a ghost that cannot be loaded."""

    obj: Any
    reason: str
    since: datetime

    @property
    def number(self) -> int:
        """The task's number."""
        return int(u64(self.obj._p_oid))


class Quarantine(Persistent):
    """The objects in quarantine by their ids; written by the scheduler alone."""

    def __init__(self) -> None:
        self._objects = OOBTree()  # object id -> (object, reason, since)

    def add(self, obj: Any, reason: str) -> None:
        """Keep *obj* here because of *reason*."""
        self._objects[obj._p_oid] = (obj, reason or "unknown", nowutc().timestamp())

    def add_all(self, entries: OOBTree) -> None:
        """Take over *entries* as an earlier release had stored them."""
        self._objects.update(entries)

    def discard(self, obj: Any) -> bool:
        """Remove *obj*; say whether it was here."""
        return self._objects.pop(obj._p_oid, None) is not None

    def get(self, oid: bytes) -> Aside | None:
        """Return the entry of the object with this id; None for an object that is not here."""
        entry = self._objects.get(oid)
        return entry and Aside(entry[0], entry[1], moment(entry[2]))

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._objects

    def __iter__(self) -> Iterator[Aside]:
        """Yield the entries, by number."""
        return (Aside(obj, why, moment(since)) for obj, why, since in self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)


BRANCH = Schema("quarantine", 1, Quarantine)


def quarantine_of(connection: Connection) -> Quarantine:
    """Return the quarantine of the database that *connection* is to."""
    return BRANCH.get(connection)


def is_aside(obj: Persistent) -> bool:
    """Say whether *obj* is in quarantine; it is not loaded for this."""
    connection = obj._p_jar
    if connection is None or obj._p_oid is None or not BRANCH.is_planted(connection):
        return False
    return obj._p_oid in BRANCH.get(connection)
