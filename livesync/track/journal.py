"""The journal: the recorded changes by the transactions that recorded them, in their order.

The track has changes by time, for agents that move pointers over it. A reader without a pointer
goes on from a transaction, which the journal finds at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from BTrees.LOBTree import LOBTree, LOBucket
from persistent import Persistent
from ZODB.utils import u64

from scheduler.log.append_log import Committed
from scheduler.log.codec import Entry, Stored, entry_of, stored
from scheduler.store import Schema


class JournalLeaf(LOBucket):
    """A leaf of the tree of changes."""


class JournalTree(LOBTree):
    """The changes by transactions, on small leaves: each sequencing writes the last one anew."""

    _bucket_type = JournalLeaf
    max_leaf_size = 20


class LatestChanges(Persistent):
    """The changes recorded by the very transaction that has put them in order: that of its record.

    Conflict behaviour: as the journal.
    """

    entries: tuple[Stored, ...] = ()


class Journal(Persistent):
    """The recorded changes in the order of transactions.

    Conflict behaviour: written by sequencers and trimmers, of which the later one repeats.
    """

    def __init__(self) -> None:
        self._changes = JournalTree()
        self._latest = LatestChanges()
        self._horizon: int | None = None

    @property
    def horizon(self) -> int:
        """The transaction up to which changes may be gone; 0 if all are there."""
        return self._horizon or 0

    def put(self, entries: Iterable[Committed], *, is_first: bool) -> None:
        """Take *entries* in; if it *is_first*, nothing was recorded before them."""
        found = sorted(entries, key=lambda one: one[0] or 0)  # stable: in the order of each commit
        self._settle()
        for tid, group in groupby(found, lambda one: one[0]):
            told = tuple(stored(0, entry, self._p_jar) for _, entry in group)
            if tid is None:
                self._latest.entries = (*self._latest.entries, *told)
            else:
                self._changes[tid] = (*self._changes.get(tid, ()), *told)
        if self._horizon is None:
            known = self._changes.minKey() - 1 if self._changes else 0
            self._horizon = 0 if is_first else known

    def behind(self, tid: int) -> Iterator[tuple[int, Entry]]:
        """Yield the changes behind transaction *tid*, with the transactions that recorded them."""
        latest = u64(self._latest._p_serial) if self._latest.entries else 0
        for number, entries in self._changes.items(tid + 1):
            if latest and number > latest:
                yield from self._told(latest, self._latest.entries)
                latest = 0
            yield from self._told(number, entries)
        if latest > tid:
            yield from self._told(latest, self._latest.entries)

    def trim(self, till: int, limit: int) -> int:
        """Drop the changes of transactions up to *till*, of *limit* at most; return of how many."""
        old = list(islice(self._changes.keys(max=till), limit))
        for tid in old:
            del self._changes[tid]
        if old:
            self._horizon = max(self.horizon, old[-1])
        return len(old)

    def clear(self, tid: int) -> None:
        """Drop all changes, those up to transaction *tid*."""
        self._changes, self._latest = JournalTree(), LatestChanges()
        self._horizon = tid

    def excess(self, most: int) -> int | None:
        """Return up to which transaction there are more than the newest *most*; None for none."""
        count = len(self._changes) - most
        return None if count <= 0 else int(next(islice(self._changes.keys(), count - 1, None)))

    def _settle(self) -> None:
        """File the latest changes by their transaction, which is known now."""
        tid = u64(self._latest._p_serial)
        if self._latest.entries and tid and not self._latest._p_changed:
            self._changes[tid] = (*self._changes.get(tid, ()), *self._latest.entries)
            self._latest = LatestChanges()

    def _told(self, tid: int, entries: Iterable[Any]) -> Iterator[tuple[int, Entry]]:
        for found in entries:
            yield tid, entry_of(found, self._p_jar)


SCHEMA = Schema("journal", 1, Journal)
