"""Overwriting: a fresh object takes the place of one that cannot be read."""

from __future__ import annotations

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import z64

from scheduler.storage.internals import cache_of, snapshot_storage


def overwrite(obj: Persistent, fresh: Persistent) -> None:
    """Store *fresh*, which is of the same class, under the id of *obj*, which cannot be read.

    References to *obj* stay, and another writer of it conflicts. Objects that the connection had
    loaded must be fetched again.
    """
    connection: Connection = obj._p_jar
    oid = obj._p_oid
    _, serial = _record(connection, oid)
    connection.cacheMinimize()  # and with it, who refers to what is replaced
    cache = cache_of(connection)
    if cache.get(oid) is not None:
        del cache[oid]
    fresh._p_jar, fresh._p_oid, fresh._p_serial = connection, oid, serial
    cache[oid] = fresh
    fresh._p_changed = True


def record_of(obj: Persistent) -> bytes:
    """Return the stored record of *obj*; an empty one if it is missing."""
    return _record(obj._p_jar, obj._p_oid)[0]


def _record(connection: Connection, oid: bytes) -> tuple[bytes, bytes]:
    """Return the record of the object *oid*, and its serial."""
    try:
        record, serial = snapshot_storage(connection).load(oid)
    except POSKeyError:
        return b"", z64
    return record, serial
