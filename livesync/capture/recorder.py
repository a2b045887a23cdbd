"""The recorder: it finds the objects of watched classes in a commit, and records their changes.

They are recorded in the same transaction, whatever code has made them. A change inside a part that
is stored by itself (a list, a tree) is one of the part.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import z64

from livesync.feed.manager import SyncManager
from livesync.objects.object_index import keep
from livesync.objects.object_model import kind_of, recorded_id
from livesync.objects.watched_class import Id, WatchedClass
from livesync.objects.watched_classes import WatchTable, table_of
from livesync.records import sight
from scheduler.clock import nowutc
from scheduler.storage.internals import is_added, registered_objects, savepoint_storage

MARK = "captured"
"""The metadata of a commit tell by which watched classes it was recorded: `captured TOKEN`."""

CREATED, CHANGED = "created", "data_changed"


class Recorder:
    """The recorder of one commit of *connection*."""

    def __init__(self, connection: Connection, transaction: Any) -> None:
        self._connection = connection
        self._table = table_of(connection)
        if self._table.classes:
            transaction.setExtendedInfo(mark_of(self._table.token), self._table.serial)

    def record(self) -> None:
        """Record what is about to be stored; raises IdentifyException."""
        if self._table.classes:
            _record(self._connection, self._table)


def mark_of(token: str) -> str:
    """Return the name under which the metadata tell the transaction of the watched classes."""
    return f"{MARK} {token}"


def record_change(manager: SyncManager, obj: Persistent, watched: WatchedClass, act: str) -> None:
    """Record that *act* happened to *obj*, which is stored; raises IdentifyException."""
    second = int(nowutc().timestamp())
    note(manager, second, obj, recorded_id(obj, watched), {act})


def note(
    manager: SyncManager,
    second: int,
    obj: Any,
    obj_id: Id | None,
    actions: set[str],
    former: Iterable[str] | None = None,
) -> None:
    """Record that *actions* happened to *obj*, and keep the index of an exposed class.

    *former* are the categories that it has left; None where they are not known.
    """
    sight.record(manager, second, obj, obj_id, actions, former)
    connection = manager._p_jar or getattr(obj, "_p_jar", None)
    if connection is not None:  # else the feed is made by this transaction, and nothing is exposed
        keep(connection, obj, kind_of(obj), obj_id, "deleted" in actions)


def _record(connection: Connection, table: WatchTable) -> None:
    for obj, action in _to_be_stored(connection):
        watched = table.of(type(obj))
        if watched is None:
            continue
        if obj._p_oid is None:
            connection.add(obj)
        record_change(SyncManager.getDBInstance(connection), obj, watched, action)


def _to_be_stored(connection: Connection) -> list[tuple[Any, str]]:
    """Return all that a commit of *connection* stores, each with what happens to it."""
    found: dict[int, tuple[Any, str]] = {}
    savepoint = savepoint_storage(connection)
    for oid in savepoint.index if savepoint is not None else ():
        obj = connection.get(oid)
        obj._p_activate()
        # An object imported from a file is told by its serial alone.
        is_new = oid in savepoint.creating or obj._p_serial == z64
        found[id(obj)] = obj, CREATED if is_new else CHANGED
    changed = [
        obj for obj in registered_objects(connection) if obj._p_changed or is_added(connection, obj)
    ]
    while changed:
        obj = changed.pop()
        is_new = obj._p_oid is None or is_added(connection, obj)
        found.setdefault(id(obj), (obj, CREATED if is_new else CHANGED))
        changed += [new for new in _new_parts(obj) if id(new) not in found]
    return list(found.values())


class _Parts(pickle.Pickler):
    """Finds the persistent objects that a state refers to, where they are stored nowhere yet."""

    def __init__(self) -> None:
        super().__init__(self, protocol=3)
        self.new: list[Persistent] = []

    def write(self, data: bytes) -> None:
        """Keep nothing."""

    def persistent_id(self, obj: Any) -> str | None:
        if not isinstance(obj, Persistent):
            return None
        if obj._p_jar is None:
            self.new.append(obj)
        return ""


def _new_parts(obj: Persistent) -> list[Persistent]:
    parts = _Parts()
    # An object that cannot be pickled makes the commit itself fail.
    with suppress(Exception):
        parts.dump(obj.__getstate__())
    return parts.new
