"""Revoked entries: what a log had told and what is not so, because the transaction was undone.

An undo by ZODB (`DB.undo`) puts objects back to earlier states, pages of lanes among them: numbers
that were read are in the lane no more, or the page marks them, where its owner had gone on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import transaction
from ZODB import DB
from ZODB.POSException import POSKeyError, StateLoadError
from ZODB.utils import u64

from scheduler.log.codec import entry_of

REVISIONS_READ = 100


def missing_numbers(pages: list[tuple[int, Any]], last: int, read: int) -> Iterator[int]:
    """Yield the numbers up to *read* that are on none of a lane's *pages*, nor before them."""
    for (first, page), (second, _) in pairwise(pages):
        if _is_read(page):
            yield from range(first + len(page.entries), min(second - 1, read) + 1)
    yield from range(last + 1, read + 1)


def marked_numbers(pages: list[tuple[int, Any]], read: int) -> Iterator[int]:
    """Yield the numbers up to *read* of the entries that *pages* mark as undone."""
    for first, page in pages:
        if _is_read(page):
            yield from (first + index for index in page.undone if first + index <= read)


def entry_of_old(lane: Any, number: int) -> tuple[Any, ...] | None:
    """Return the entry with *number* that *lane* had once; None where no history tells."""
    database: DB = lane._p_jar.db()
    if not database.supportsUndo():
        return None
    for tid in _revisions(database, lane):
        entry = _entry_before(database, lane, tid, number)
        if entry is not None:
            return entry
    return None


def _is_read(page: Any) -> bool:
    try:
        page._p_activate()
    except StateLoadError:
        return False  # what is unreadable has not been undone
    return True


def _revisions(database: DB, lane: Any) -> list[bytes]:
    """Return when the parts of *lane* were changed, the newest first."""
    tids: set[bytes] = set()
    for part in lane.parts():
        revisions = database.history(part._p_oid, REVISIONS_READ)
        tids.update(revision["tid"] for revision in revisions)
    return sorted(tids, key=u64, reverse=True)


def _entry_before(database: DB, lane: Any, tid: bytes, number: int) -> tuple[Any, ...] | None:
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager, before=tid)
    try:
        found = connection.get(lane._p_oid).page_of(number)
        if found is None:
            return None
        first, page = found
        # Read for the connection of today: what the entry refers to, belongs there.
        state, _ = connection._storage.load(page._p_oid)
        found = lane._p_jar._reader.getState(state)["entries"][number - first]
        return entry_of(found, lane._p_jar)
    except POSKeyError:
        return None  # there was no such lane then
    finally:
        manager.abort()
        connection.close()
