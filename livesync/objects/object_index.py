"""The object index: the objects of an exposed class by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any
from zlib import crc32

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from livesync.objects.object_model import is_detached, unique_id
from livesync.objects.watched_class import Id, WatchedClass
from livesync.objects.watched_classes import table_of, watch_of
from scheduler.store.schema import Schema

SHARDS = 16
# The smallest key of each shard: never removed, so that inserting and removing others merge.
FRONT = ""


class ObjectIndex(Persistent):
    """The numbers of the objects of one class in the database, by their ids.

    Conflict behaviour: entries of different ids merge, unless both fall into a bucket that one
    of them splits: then one repeats. Spread over shards, that is rare.
    """

    def __init__(self) -> None:
        self._shards = tuple(OOBTree({FRONT: 0}) for _ in range(SHARDS))

    def put(self, obj_id: str, obj: Persistent) -> None:
        """Enter *obj*, which is stored, as *obj_id*; nothing is written where that is known."""
        number = int.from_bytes(obj._p_oid)
        if self._shard(obj_id).get(obj_id) != number:
            self._shard(obj_id)[obj_id] = number

    def remove(self, obj_id: str) -> None:
        """Forget the object *obj_id*, if it is known."""
        self._shard(obj_id).pop(obj_id, None)

    def find(self, obj_id: str) -> Persistent | None:
        """Return the object *obj_id*; None if no object has that id now."""
        number = self._shard(obj_id).get(obj_id) if obj_id else None
        return None if number is None else _object(self._p_jar, obj_id, number)

    def behind(self, obj_id: str = FRONT) -> Iterator[tuple[str, Persistent]]:
        """Yield the objects behind *obj_id* in the order of their ids."""
        for name, number in merge(
            *(shard.items(obj_id, excludemin=True) for shard in self._shards)
        ):
            obj = _object(self._p_jar, name, number) if name else None
            if obj is not None:
                yield name, obj

    def _shard(self, obj_id: str) -> OOBTree:
        return self._shards[crc32(obj_id.encode(errors="surrogatepass")) % SHARDS]


SCHEMA: Schema[PersistentMapping] = Schema("exposed", 1, PersistentMapping)


def index_of(connection: Connection, watched: WatchedClass) -> ObjectIndex | None:
    """Return the index of a class; None if it was never exposed."""
    return SCHEMA.get(connection).get(watched.name) if SCHEMA.exists(connection) else None


def keep(
    connection: Connection | None, obj: Any, kind: str, obj_id: Id | None, deleted: bool
) -> None:
    """Keep the index of an exposed class, when *obj* of *kind* was stored, or *deleted*."""
    if connection is None or obj_id is None:
        return  # a database in which nothing was ever recorded has no exposed classes
    watched = watch_of(obj) or table_of(connection).of_kind(kind)
    index = index_of(connection, watched) if watched is not None and watched.fossil else None
    if index is None:
        return
    if deleted:
        index.remove(str(obj_id))
    elif obj is not None and obj._p_oid is not None:
        index.put(str(obj_id), obj)


def _object(connection: Connection, obj_id: str, number: int) -> Persistent | None:
    try:
        obj: Persistent = connection.get(p64(number))
        return None if is_detached(obj) or unique_id(obj) != obj_id else obj
    except POSKeyError:
        return None
