"""The read view: one snapshot of the database, of which nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import transaction
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.store import using


@contextmanager
def snapshot(database: DB) -> Iterator[Connection]:
    """Give a connection to one snapshot, the current connection meanwhile; it never commits."""
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    try:
        with using(connection):
            yield connection
    finally:
        manager.abort()
        connection.close()
