"""Watching: changes of chosen classes are recorded by the commit that makes them.

Whoever writes such an object in this process, and however: what the commit stores is looked
through, and recorded in the same transaction. A change inside of a part that is stored by
itself (a list, a tree) is one of the part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import u64

from livesync.actions import ActionWrapper
from livesync.manager import SyncManager
from livesync.subjects import unique_id
from scheduler.clock import nowutc

Identify = Callable[[Any], str | int]

CREATED, CHANGED = "created", "data_changed"

_watched: dict[type, Identify] = {}


def default_id(obj: Persistent) -> str:
    """Return the id that *obj* has of its own, else the number of its place in the database."""
    return unique_id(obj) or str(u64(obj._p_oid))


def watch(*classes: type[Persistent], identify: Identify = default_id) -> None:
    """Record all commits that store objects of these *classes*, or of subclasses.

    *identify* returns the id under which an object is known outside. It concerns the
    connections that this process makes from now on: call it before a database is opened.
    """
    for watched in classes:
        if not issubclass(watched, Persistent):
            raise TypeError(f"{watched.__qualname__} cannot be watched: it is not persistent")
        _watched[watched] = identify
    DB.klass = WatchingConnection


def unwatch(*classes: type[Persistent]) -> None:
    """Record commits of these *classes* no more; those of none at all without any."""
    for watched in classes or tuple(_watched):
        _watched.pop(watched, None)
    if not _watched:
        DB.klass = Connection


class WatchingConnection(Connection):
    """A connection whose commits record the changes of watched objects."""

    def commit(self, transaction: Any) -> None:
        """Store what has changed, and what is to be recorded about it."""
        if _watched:
            # As a savepoint, what is stored can be looked through and added to.
            self.savepoint()
            self._record()
        super().commit(transaction)

    def _record(self) -> None:
        stored = self._savepoint_storage
        for oid in tuple(stored.index):
            obj = self.get(oid)
            identify = _identify_for(type(obj))
            if identify is not None:
                self._record_one(obj, identify(obj), CREATED if oid in stored.creating else CHANGED)

    def _record_one(self, obj: Any, obj_id: str | int, action: str) -> None:
        manager = SyncManager.getDBInstance(self)
        if not manager.objectExcluded(obj):
            second = int(nowutc().timestamp())
            manager.add(second, ActionWrapper(second, obj, {action}, obj_id))


def _identify_for(kind: type) -> Identify | None:
    return next((_watched[base] for base in kind.__mro__ if base in _watched), None)
