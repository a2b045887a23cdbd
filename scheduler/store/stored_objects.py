"""All objects of a database, one after the other, whether or not anything refers to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.interfaces import IMVCCStorage
from ZODB.POSException import POSError
from ZODB.utils import p64, u64, z64

from scheduler.storage.internals import cache_of, reader_of
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import UNREADABLE


def stored_objects(connection: Connection, kinds: tuple[type, ...]) -> Iterator[Any]:
    """Yield the objects of these *kinds*, as *connection* sees them, without loading them.

    Removed objects are among them until the database is packed. An object is passed over if its
    record does not tell its class.
    """
    for oid, record in records(connection.db().storage):
        if _is_of(kinds, connection, record):
            try:
                obj = connection.get(oid)
            except UNREADABLE:
                continue  # made after what the connection sees
            if isinstance(obj, Persistent):
                yield obj
            cache = cache_of(connection)
            if cache.cache_non_ghost_count > cache.cache_size:
                connection.cacheGC()


def records(storage: Any) -> Iterator[tuple[bytes, bytes]]:
    """Yield the id and the present record of each object."""
    own = storage.new_instance() if IMVCCStorage.providedBy(storage) else storage
    try:
        yield from _records(own)
    finally:
        if own is not storage:
            own.release()


def _records(storage: Any) -> Iterator[tuple[bytes, bytes]]:
    upcoming: Any = None  # of a file it is the next id, of a server what that likes
    while True:
        try:
            oid, _, record, upcoming = storage.record_iternext(upcoming)
        except POSError as error:
            if is_transient(error) or not isinstance(upcoming, bytes | None):
                raise
            upcoming = p64(u64(upcoming or z64) + 1)  # it cannot be found where it should be
            continue
        yield oid, record
        if upcoming is None:
            return


def _is_of(kinds: tuple[type, ...], connection: Connection, record: bytes) -> bool:
    try:
        return isinstance(reader_of(connection).getGhost(record), kinds)
    except Exception as error:
        if is_transient(error):
            raise
        return False
