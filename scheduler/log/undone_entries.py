"""Undone entries: entries of a log that were read before their transaction was undone.

An undo by ZODB (`DB.undo`) restores earlier states of objects, pages of segments among them:
numbers that were read are missing in the segment, or marked if its owner had gone on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ZODB import DB
from ZODB.POSException import POSKeyError
from ZODB.utils import u64

from scheduler.log.codec import entry_of
from scheduler.storage.internals import reader_of, record_of
from scheduler.store.missing_class import UNREADABLE
from scheduler.store.read_view import read_view
from scheduler.store.snapshot import reading_storage

REVISIONS_READ = 100


def missing_numbers(pages: list[tuple[int, Any]], last: int, read: int) -> Iterator[int]:
    """Yield the numbers up to *read* that are on none of a segment's *pages*, nor before them."""
    for (first, page), (second, _) in pairwise(pages):
        if _is_read(page):
            yield from range(first + len(page.entries), min(second - 1, read) + 1)
    yield from range(last + 1, read + 1)


def marked_numbers(pages: list[tuple[int, Any]], read: int) -> Iterator[int]:
    """Yield the numbers up to *read* of the entries that *pages* mark as undone."""
    for first, page in pages:
        if _is_read(page):
            yield from (first + index for index in page.undone if first + index <= read)


def entry_of_old(segment: Any, number: int) -> tuple[Any, ...] | None:
    """Return the entry *number* that *segment* once had; None if the history lacks it."""
    database: DB = segment._p_jar.db()
    if not database.supportsUndo():
        return None
    for tid in _revisions(database, segment):
        entry = _entry_before(database, segment, tid, number)
        if entry is not None:
            return entry
    return None


def _is_read(page: Any) -> bool:
    try:
        page._p_activate()
    except UNREADABLE:
        return False  # an unreadable page has not been undone
    return page.lost is None


def _revisions(database: DB, segment: Any) -> list[bytes]:
    """Return when the parts of *segment* were changed, the newest first."""
    tids: set[bytes] = set()
    for part in segment.parts():
        with reading_storage(database) as storage:
            revisions = storage.history(part._p_oid, REVISIONS_READ)
        tids.update(revision["tid"] for revision in revisions)
    return sorted(tids, key=u64, reverse=True)


def _entry_before(database: DB, segment: Any, tid: bytes, number: int) -> tuple[Any, ...] | None:
    with read_view(database, u64(tid) - 1) as connection:
        try:
            found = connection.get(segment._p_oid).page_of(number)
            if found is None:
                return None
            first, page = found
            # Read for the present connection, to which the objects of the entry belong.
            state = record_of(page)
            found = reader_of(segment._p_jar).getState(state)["entries"][number - first]
            return entry_of(found, segment._p_jar)
        except POSKeyError:
            return None  # the segment did not exist then
