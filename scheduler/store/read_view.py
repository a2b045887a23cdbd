"""The read view: one snapshot of the database, of which nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import transaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.store import using


@contextmanager
def snapshot(database: DB, tid: int | None = None) -> Iterator[Connection]:
    """Give a connection to one snapshot, the current connection meanwhile; it never commits.

    The snapshot is the newest, or that of transaction *tid* where the storage keeps history.
    """
    manager = transaction.TransactionManager()
    before = None if tid is None or not database.supportsUndo() else p64(tid + 1)
    connection = database.open(transaction_manager=manager, before=before)
    try:
        with using(connection):
            yield connection
    finally:
        manager.abort()
        connection.close()
