"""Watching: changes of chosen classes are recorded by the commit that makes them.

Each commit of this process is searched for objects of watched classes, and their changes are
recorded in the same transaction, whatever code has made them. A change inside a part that is
stored by itself (a list, a tree) is one of the part.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import u64

from livesync.feed.manager import SyncManager
from livesync.objects.object_model import unique_id
from livesync.records import sight
from scheduler.clock import nowutc
from scheduler.store.connection import OwnConnection

Identify = Callable[[Any], str | int]

CREATED, CHANGED = "created", "data_changed"

_watched: dict[type, Identify] = {}


def default_id(obj: Persistent) -> str:
    """Return the id that *obj* has of its own, else the number of its place in the database."""
    return unique_id(obj) or str(u64(obj._p_oid))


def watch(*classes: type[Persistent], identify: Identify = default_id) -> None:
    """Record all commits that store objects of these *classes*, or of subclasses.

    *identify* returns the id under which an object is known outside. It concerns all connections
    of this process to databases that `scheduler.store` has opened, and those to other databases
    that are made from now on.
    """
    for watched in classes:
        if not issubclass(watched, Persistent):
            raise TypeError(f"{watched.__qualname__} cannot be watched: it is not persistent")
        _watched[watched] = identify
    DB.klass = WatchingConnection
    if _record not in OwnConnection.before_commit:
        OwnConnection.before_commit.append(_record)


def unwatch(*classes: type[Persistent]) -> None:
    """Record commits of these *classes* no more; those of none at all without any."""
    for watched in classes or tuple(_watched):
        _watched.pop(watched, None)
    if not _watched:
        DB.klass = Connection
        OwnConnection.before_commit[:] = [
            call for call in OwnConnection.before_commit if call is not _record
        ]


class WatchingConnection(Connection):
    """A connection to another database whose commits record the changes of watched objects."""

    def commit(self, transaction: Any) -> None:
        """Record what is about to be stored, and store it together with that."""
        _record(self)
        super().commit(transaction)


def _record(connection: Connection) -> None:
    second = int(nowutc().timestamp())
    for obj, action in _to_be_stored(connection):
        identify = _identify_for(type(obj))
        if identify is None:
            continue
        if obj._p_oid is None:
            connection.add(obj)
        manager = SyncManager.getDBInstance(connection)
        sight.record(manager, second, obj, identify(obj), {action})


def _to_be_stored(connection: Connection) -> list[tuple[Any, str]]:
    """Return all that a commit of *connection* stores, each with what happens to it."""
    found: dict[int, tuple[Any, str]] = {}
    savepoint = connection._savepoint_storage
    for oid in savepoint.index if savepoint is not None else ():
        obj = connection.get(oid)
        found[id(obj)] = obj, CREATED if oid in savepoint.creating else CHANGED
    changed = [obj for obj in connection._registered_objects if obj._p_changed]
    while changed:
        obj = changed.pop()
        is_new = obj._p_oid is None or obj._p_oid in connection._added
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


def _identify_for(kind: type) -> Identify | None:
    return next((_watched[base] for base in kind.__mro__ if base in _watched), None)
