"""The snapshots of a database server: no connection keeps one while it has nothing to do.

A connection of RelStorage sees the database by a transaction of the server. As long as one is
open, the server can remove no state that was replaced since it began, and each read of an object
goes by all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.interfaces import IMVCCStorage

_reading = RLock()


def _leave_parent() -> None:
    global _reading
    _reading = RLock()  # a thread that is not here may hold the other one


os.register_at_fork(after_in_child=_leave_parent)


def give_back_between(connection: Connection) -> None:
    """Have *connection* give its snapshot back at the end of each transaction.

    For one whose transactions begin explicitly: nothing is to be read between them.
    """
    if IMVCCStorage.providedBy(connection.db().storage):
        connection.explicit_transactions = True


def give_back(storage: Any) -> None:
    """Give back the snapshot that *storage* has, if any; it takes another one when it is read."""
    if IMVCCStorage.providedBy(storage) and hasattr(storage, "afterCompletion"):
        storage.afterCompletion()


@contextmanager
def reading_storage(database: DB) -> Iterator[Any]:
    """Give the storage of *database* itself, to be read by one thread at a time."""
    with _reading:
        try:
            yield database.storage
        finally:
            give_back(database.storage)
