"""The history of a database: the states that it still has, and views of them.

A pack removes what the states before it were made of, and marks the transactions it leaves. The
states from the last marked transaction on are whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import transaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.DemoStorage import DemoStorage
from ZODB.MappingStorage import MappingStorage
from ZODB.utils import p64, u64, z64

from scheduler.errors import NoHistory, NothingYet, PositionGone
from scheduler.storage.internals import last_pack
from scheduler.storage.outage import abort_quietly
from scheduler.storage.stored_transactions import stored_transactions

PACKED = "p"
STEPS = tuple(1 << bits for bits in (32, 36, 40, 44, 48, 52, 56, 60))
"""Distances between numbers of transactions, from seconds to centuries: a storage may read all
that it is asked for at once."""


def keeps_history(database: DB) -> bool:
    """Say whether earlier states of *database* can be seen at all."""
    return bool(database.supportsUndo()) or isinstance(
        database.storage, MappingStorage | DemoStorage
    )


def refuse_if_gone(database: DB, tid: int, *, is_exact: bool = True) -> None:
    """Raise PositionGone where the state that transaction *tid* has left is not there any more.

    It was packed away, or lost when a backup was put back. Unless *is_exact*, *tid* is a moment
    at which there need not have been a transaction. Raises NoHistory, and NothingYet, a
    PositionGone, for a moment before all of them.
    """
    if not keeps_history(database):
        raise NoHistory(
            f"the database {database.getName()} keeps no history, so that earlier states cannot "
            "be seen: use a FileStorage, or PostgreSQL with keep_history=true"
        )
    storage = database.storage
    own = _first(storage, tid, tid)
    if own is None and is_exact:
        raise _gone(
            database,
            "the transaction of this position is not in the database: a backup "
            "was put back, or it was packed away",
        )
    if own is not None and not _is_packed(storage, own):
        return
    following = _following(storage, tid)
    if following is not None and _is_packed(storage, following):
        raise _gone(database, "the state at this position was packed away")
    if own is None and _first(storage, 0, tid) is None:
        raise NothingYet("there is nothing yet at that time")


def is_lost(database: DB, tid: int) -> bool:
    """Say whether transaction *tid* is missing, and not for a pack: a backup was put back.

    A transaction that is yet to be seen is missing, too. Without history nothing is known of that.
    """
    storage = database.storage
    if not keeps_history(database) or _first(storage, tid, tid) is not None:
        return False
    following = _following(storage, tid)
    return following is None or not _is_packed(storage, following)


def oldest_state(database: DB) -> int:
    """Return the oldest transaction whose state is whole; 0 for an empty database."""
    storage, oldest = database.storage, 0
    with closing(stored_transactions(storage)) as records:
        for record in records:
            if oldest and not _is_packed(storage, record):
                break
            oldest = int(u64(record.tid))
    return oldest


@contextmanager
def past_view(database: DB, tid: int) -> Iterator[Connection]:
    """Give a connection to the state that transaction *tid* has left; it commits nothing.

    The current connection stays as it is.
    """
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager, before=p64(tid + 1))
    try:
        yield connection
    finally:
        abort_quietly(manager)
        connection.close()


def _gone(database: DB, reason: str) -> PositionGone:
    return PositionGone(f"{reason}; begin anew", oldest_state(database))


def _following(storage: Any, tid: int) -> Any:
    """Return the transaction behind *tid*; None for none."""
    start = tid + 1
    for step in STEPS:
        found = _first(storage, start, tid + step)
        if found is not None:
            return found
        start = tid + step
    return None


def _first(storage: Any, start: int, stop: int) -> Any:
    last = p64(min(stop, (1 << 63) - 1))
    with closing(stored_transactions(storage, p64(start), last)) as records:
        return next(records, None)


def _is_packed(storage: Any, record: Any) -> bool:
    if isinstance(storage, MappingStorage):
        return bool(record.tid <= (last_pack(storage) or z64))
    status = record.status
    return (status.decode() if isinstance(status, bytes) else status) == PACKED
