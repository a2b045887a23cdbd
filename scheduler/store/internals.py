"""The parts of ZODB and transaction that have no public name, for the rooms above."""

from __future__ import annotations

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
