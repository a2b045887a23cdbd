"""The parts of ZODB and transaction that have no public name, for the rooms above."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from transaction import Transaction, TransactionManager
from ZODB.Connection import Connection


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


def is_closed(connection: Connection) -> bool:
    """Return whether the database of *connection* was closed."""
    return connection._storage is None


def reader_of(connection: Connection) -> Any:
    """Return the ObjectReader by which *connection* reads records."""
    return connection._reader


def record_of(obj: Any) -> bytes:
    """Return the record of *obj* in the snapshot of its connection."""
    return stored_record(obj._p_jar, obj._p_oid)


def stored_record(connection: Connection, oid: bytes) -> bytes:
    """Return the record of the object *oid* in the snapshot of *connection*; POSKeyError."""
    record, _ = connection._storage.load(oid)
    return bytes(record)


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


def hears_of(manager: TransactionManager, synch: Any) -> bool:
    """Return whether *synch* is registered with *manager*, to hear of transactions."""
    return synch in manager._synchs
