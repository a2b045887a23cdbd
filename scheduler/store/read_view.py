"""A look at the database: one snapshot of it, which is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import transaction
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.store import using


@contextmanager
def snapshot(database: DB) -> Iterator[Connection]:
    """Give a connection that sees one moment, the current one meanwhile; nothing is committed."""
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    try:
        with using(connection):
            yield connection
    finally:
        manager.abort()
        connection.close()
