"""The parts of ZODB, ZEO and transaction that have no public name, for the rooms above."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from transaction import Transaction, TransactionManager
from ZEO.ClientStorage import ClientStorage
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.MappingStorage import MappingStorage
from ZODB.mvccadapter import MVCCAdapter
from ZODB.serialize import ObjectWriter


def registered_objects(connection: Connection) -> list[Any]:
    """Return the objects changed in the open transaction since its last savepoint."""
    objects: list[Any] = connection._registered_objects
    return objects


def savepoint_storage(connection: Connection) -> Any:
    """Return what the savepoints of the open transaction have stored; None without one."""
    return connection._savepoint_storage


def is_added(connection: Connection, obj: Any) -> bool:
    """Return whether *obj* was added to *connection* in the open transaction."""
    return obj._p_oid in connection._added


def has_joined(connection: Connection) -> bool:
    """Return whether *connection* takes part in the open transaction: something was changed."""
    return not connection._needs_to_join


def is_closed(connection: Connection) -> bool:
    """Return whether the database of *connection* was closed."""
    return connection._storage is None


def reader_of(connection: Connection) -> Any:
    """Return the ObjectReader by which *connection* reads records."""
    return connection._reader


def find_classes_by(connection: Connection, factory: Callable[..., Any]) -> None:
    """Make *connection*, which has its reader already, find classes by *factory*."""
    connection._reader._factory = factory


def cache_of(connection: Connection) -> Any:
    """Return the cache of the objects that *connection* has loaded."""
    return connection._cache


def snapshot_storage(connection: Connection) -> Any:
    """Return the storage by which *connection* sees the database now, savepoints included."""
    return connection._storage


def normal_storage(connection: Connection) -> Any:
    """Return the storage of *connection* without its savepoints, which stand in for it."""
    return connection._normal_storage


def record_of(obj: Any) -> bytes:
    """Return the record of *obj* in the snapshot of its connection."""
    return stored_record(obj._p_jar, obj._p_oid)


def stored_record(connection: Connection, oid: bytes) -> bytes:
    """Return the record of the object *oid* in the snapshot of *connection*; POSKeyError."""
    record, _ = connection._storage.load(oid)
    return bytes(record)


def let_go(writer: ObjectWriter) -> None:
    """Part *writer*, which has written all it was made for, from its pickler.

    The two refer to each other: without this they wait for the garbage collector, with the
    objects that they have written, and it runs the more often.
    """
    del writer._p


def first_leaf(tree: Any) -> Any:
    """Return the first leaf of a BTree; None for an empty one."""
    return tree._firstbucket


def next_leaf(leaf: Any) -> Any:
    """Return the leaf of a BTree behind *leaf*; None for the last one."""
    return leaf._next


def descending(tree: Any, below: Any = None) -> Iterator[Any]:
    """Yield the keys of a set that is a BTree, the largest first; those less than *below*.

    BTrees themselves go upwards only.
    """
    state = tree.__getstate__()
    if state is None:  # it is empty
        return
    if len(state) == 1:
        yield from _downwards(state[0][0][0], below)  # a small tree has its only leaf inside
        return
    children, bounds = state[0][::2], state[0][1::2]
    end = len(children) if below is None else bisect_left(bounds, below) + 1
    for at in range(end - 1, -1, -1):
        child, limit = children[at], below if at == end - 1 else None
        if hasattr(child, "_bucket_type"):
            yield from descending(child, limit)
        else:
            yield from _downwards(child.__getstate__()[0], limit)


def _downwards(keys: Sequence[Any], below: Any) -> Iterator[Any]:
    yield from reversed(keys if below is None else keys[: bisect_left(keys, below)])


def open_transaction(manager: TransactionManager) -> Transaction | None:
    """Return the open transaction of *manager*, without beginning one."""
    return manager._txn


def resources_of(unit: Transaction) -> list[Any]:
    """Return the data managers that have joined the transaction *unit*."""
    resources: list[Any] = unit._resources
    return resources


def is_synchronized(manager: TransactionManager, synch: Any) -> bool:
    """Return whether *synch* is registered with *manager*, to hear of transactions."""
    return synch in manager._synchs


def for_each_connection(database: DB, act: Callable[[Connection], None]) -> None:
    """Call *act* with each connection of *database*, open or in its pool."""
    database._connectionMap(act)


def shared_storage(database: DB) -> Any:
    """Return the storage of *database*, of which each connection has an instance."""
    return database._mvcc_storage


def join_readers(readers: MVCCAdapter, reader: Any) -> None:
    """Make *readers* tell *reader* of invalidations, as an instance of theirs."""
    with readers._lock:
        readers._instances.add(reader)


def leave_readers(readers: MVCCAdapter, reader: Any) -> None:
    """Make *readers* forget *reader*."""
    readers._release(reader)


def forget_last_seen(readers: MVCCAdapter) -> None:
    """Make *readers* forget which transaction each of them has seen last."""
    with readers._lock:
        for reader in readers._instances:
            if hasattr(reader, "_ltid"):
                reader._ltid = b""


def savepoint_file(savepoints: Any) -> Any:
    """Return the file in which *savepoints* keep what they have stored."""
    return savepoints._file


def ask_server(storage: ClientStorage, method: str, *arguments: Any) -> Any:
    """Return the answer of the server of *storage* to a call of *method*; the cache is not read."""
    return storage._call(method, *arguments)


def client_of(storage: ClientStorage) -> Any:
    """Return the object by which *storage* speaks with its server."""
    return storage._server.client


def forget_new_ids(storage: ClientStorage) -> None:
    """Make *storage* forget the ids that its server has given out for new objects."""
    storage._oids.clear()


def last_pack(storage: MappingStorage) -> bytes | None:
    """Return the transaction up to which *storage* was packed; None if it never was."""
    tid: bytes | None = storage._last_pack
    return tid
