"""The stored form of the entries of a log.

A page is stored again with each entry that is added to it. An entry of plain data is stored as
bytes, which are cheap to copy.
"""

from __future__ import annotations

import pickle
from typing import Any, TypeAlias

from persistent.wref import WeakRef
from ZODB.Connection import Connection

Entry: TypeAlias = tuple[Any, ...]
Stored: TypeAlias = tuple[Any, ...] | bytes

TIME_BYTES = 8
PROTOCOL = 3  # later ones take more bytes for what is small
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})


def stored(recorded: int, entry: Entry, connection: Connection | None) -> Stored:
    """Return the stored form of *entry* with its time *recorded* (nanoseconds).

    It is bytes if the entry has only plain data and weak references to objects of *connection*;
    else (time, *entry).
    """
    oids = {
        position: bytes(item.oid)
        for position, item in enumerate(entry)
        if isinstance(item, WeakRef) and item.oid and item.dm is connection
    }
    items = tuple(None if position in oids else item for position, item in enumerate(entry))
    if not all(map(_is_plain, items)):
        return (recorded, *entry)
    return recorded.to_bytes(TIME_BYTES, "big") + pickle.dumps((items, oids), PROTOCOL)


def time_of(found: Stored) -> int:
    """Return the time of an entry in its stored form."""
    if isinstance(found, bytes):
        return int.from_bytes(found[:TIME_BYTES], "big")
    recorded: int = found[0]
    return recorded


def entry_of(found: Stored, connection: Connection | None) -> Entry:
    """Return the entry of the stored form *found*, as *connection* sees it."""
    if not isinstance(found, bytes):
        return found[1:]
    items, oids = pickle.loads(found[TIME_BYTES:])  # noqa: S301 (plain data, of our own making)
    entry = list(items)
    for position, oid in oids.items():
        entry[position] = _weak(oid, connection)
    return tuple(entry)


def _is_plain(item: Any) -> bool:
    return type(item) in _PLAIN or (type(item) is tuple and all(type(x) in _PLAIN for x in item))


def _weak(oid: bytes, connection: Connection | None) -> WeakRef:
    reference = WeakRef.__new__(WeakRef)
    reference.oid, reference.dm = oid, connection
    return reference
