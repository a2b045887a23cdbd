"""The read set: objects that a connection has read since a moment, with their serials.

A connection's cache holds its loaded objects in the order of their last use. A marker is used
at that moment; what comes after it was read since.
"""

from __future__ import annotations

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from scheduler.storage.internals import cache_of
from scheduler.store.schema import Schema

LONGEST = 2500
"""How many loaded objects a connection may hold at the moment: they are all looked through."""


class ReadMarker(Persistent):
    """An object that nobody uses but to mark a moment. Conflict behaviour: it is never changed."""

    is_used = True


def _make() -> ReadMarker:
    return ReadMarker()


SCHEMA = Schema("read marker", 1, _make)


def knows(connection: Connection, oid: bytes) -> bool:
    """Say whether the marker *oid* is there in the snapshot of *connection*."""
    try:
        return bool(connection.get(oid).is_used)
    except POSKeyError:
        return False


def mark(connection: Connection, oid: bytes) -> None:
    """Mark this moment with the marker *oid*."""
    drop_states(connection, LONGEST)
    connection.get(oid).is_used  # noqa: B018 (it is the last one used now)


def drop_states(connection: Connection, most: int) -> None:
    """Drop the states of loaded objects, of the least used first, until *most* are loaded."""
    cache = cache_of(connection)
    if cache.cache_non_ghost_count > most:
        usual = cache.cache_size
        cache.cache_size = most
        cache.incrgc()
        cache.cache_size = usual


def read_since(connection: Connection, oid: bytes) -> dict[bytes, bytes] | None:
    """Return the serials of the objects read since the moment, by oid; None if it is not known."""
    serials: dict[bytes, bytes] = {}
    for each, obj in reversed(cache_of(connection).lru_items()):
        if each == oid:
            return serials
        serials[each] = obj._p_serial
    return None
