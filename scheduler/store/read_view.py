"""The read view: one snapshot of the database, of which nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import transaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.storage.outage import abort_quietly
from scheduler.store.current import using


@contextmanager
def read_view(database: DB, tid: int | None = None) -> Iterator[Connection]:
    """Give a connection to one snapshot, the current connection meanwhile; it never commits.

    The snapshot is the newest, or that of transaction *tid* where the storage keeps history.
    """
    with side_view(database, tid) as connection, using(connection):
        yield connection


@contextmanager
def side_view(database: DB, tid: int | None = None) -> Iterator[Connection]:
    """Give a connection as `read_view` does, but leave the current connection as it is."""
    manager = transaction.TransactionManager()
    before = None if tid is None or not database.supportsUndo() else p64(tid + 1)
    connection = database.open(transaction_manager=manager, before=before)
    try:
        yield connection
    finally:
        abort_quietly(manager)
        connection.close()
