"""A segment of an append log: the numbered entries of one writer, on small pages."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import repeat
from typing import Any, TypeAlias

from BTrees.LOBTree import LOBTree, LOBucket
from persistent import Persistent
from ZODB.POSException import ConflictError
from ZODB.utils import u64

from scheduler.log.codec import Entry, Stored, entry_of, stored, time_of
from scheduler.log.undone_entries import marked_numbers, missing_numbers
from scheduler.storage.internals import first_leaf, next_leaf, reader_of
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store.missing_class import UNREADABLE, reason_of, salvaged

log = logging.getLogger(__name__)

# The most entries of a page, and of one that several commits fill: each writes it anew.
PAGE = 12
FEW = 6

Numbered: TypeAlias = tuple[int, str, int, Entry, int | None]
"""The time of an entry, the name of its segment, its number, itself, and its transaction."""


class UnreadablePage(Exception):  # noqa: N818 (what it is about)
    """A page of the segment *name* cannot be read; its numbers go from *first* to *last*."""

    def __init__(self, name: str, first: int, last: int, page: SegmentPage) -> None:
        super().__init__(f"a page of the segment {name} cannot be read")
        self.name = name
        self.first = first
        self.last = last
        self.page = page


class SegmentLeaf(LOBucket):
    """A leaf of the tree of pages."""


class SegmentPages(LOBTree):
    """The pages of a segment; its class distinguishes them from data of the application."""

    _bucket_type = SegmentLeaf


class SegmentPage(Persistent):
    """A few entries of a segment, one after the other, as `scheduler.log.codec` has them stored.

    Conflict behaviour: an undo of a transaction that added entries, when others were added
    since, marks its entries and leaves them. Everything else conflicts.
    """

    entries: tuple[Stored, ...] = ()
    commits: tuple[tuple[int, int], ...] = ()
    """Up to how many entries which transaction has recorded; the rest is of the page's record."""
    undone: tuple[int, ...] = ()
    """The indexes of entries whose transactions were undone."""
    lost: bytes | None = None
    """The record of a page that could not be read, and was skipped; None for other pages."""
    drained: int = 0
    """How many entries of a page that was skipped had been drained before."""

    def extend(self, entry: Stored) -> None:
        """Add *entry* in the current transaction."""
        tid = u64(self._p_serial)
        if tid and tid != self._last_commit():  # the first time in this transaction
            self.commits = (*self.commits, (len(self.entries), tid))
        self.entries = (*self.entries, entry)

    def is_full(self) -> bool:
        """Return whether the next entry begins another page."""
        return len(self.entries) >= (FEW if u64(self._p_serial) else PAGE)

    def transactions(self) -> Iterator[int | None]:
        """Yield for each entry the transaction that recorded it; None for the current one."""
        begin = 0
        for end, tid in self.commits:
            yield from repeat(tid, end - begin)
            begin = end
        tid = u64(self._p_serial)
        is_stored = tid and not self._p_changed and tid != self._last_commit()
        yield from repeat(tid if is_stored else None)

    def _last_commit(self) -> int | None:
        return self.commits[-1][1] if self.commits else None

    def recovered(self) -> tuple[Stored, ...]:
        """Return the entries that were skipped; raises what reading the record raises."""
        state = reader_of(self._p_jar).getState(self.lost)
        entries: tuple[Stored, ...] = state.get("entries", ())
        return entries[self.drained :]

    def _p_resolveConflict(  # noqa: N802 (ZODB's name)
        self, old: dict[str, Any], committed: dict[str, Any], new: dict[str, Any]
    ) -> dict[str, Any]:
        before, after = len(new.get("entries", ())), len(old["entries"])
        if before >= after or len(committed["entries"]) < after:
            raise ConflictError("two transactions have written one page of a segment")
        return {**committed, "undone": (*committed.get("undone", ()), *range(before, after))}


class Segment(Persistent):
    """The entries that one connection recorded, numbered, on pages.

    Conflict behaviour: its owner alone writes it. Each append writes one small page anew, and
    seldom the tree of pages. The newest page always stays, so that numbers continue from it.
    """

    def __init__(self, owner: ProcessIdentity) -> None:
        self.owner = owner
        self._pages = SegmentPages()  # number of its first entry -> page

    def is_whole(self) -> bool:
        """Return whether the stored state is that of a segment."""
        return {"owner", "_pages"} <= vars(self).keys()

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 if there are no entries."""
        return self._end() - 1

    def append(self, entry: Entry, read: int) -> None:
        """Add *entry*; if that needs a new page, drop the pages read up to *read*.

        After an undo it gets a number behind *read*, none that was read before.
        """
        recorded = time.time_ns()
        newest = self._newest()
        if newest is not None:
            # Clocks step back; the order of a segment does not.
            recorded = max(recorded, time_of(newest.entries[-1]) + 1)
        end = self._end()
        if newest is None or newest.is_full() or end <= read:
            end = max(end, read + 1)
            self._drop(read)
            newest = self._pages[end] = SegmentPage()
        newest.extend(stored(recorded, entry, self._p_jar))

    def after(self, name: str, number: int) -> Iterator[Numbered]:
        """Yield what Numbered has for the entries behind *number* of this segment, *name*."""
        for first, page in self._pages.items(number - PAGE + 2):
            entries = entries_on(page)
            if entries is None and self._last_on(first) > number:
                raise UnreadablePage(name, first, self._last_on(first), page)
            told = zip(entries or (), _transactions_on(page), strict=False)
            for key, (found, tid) in enumerate(told, first):
                if key > number:
                    yield time_of(found), name, key, entry_of(found, self._p_jar), tid

    def start(self, read: int, since: int) -> int:
        """Return a number from *read* on, behind which are all entries not older than *since*."""
        if not since:
            return read
        numbers = range(read + 1, self._end())
        page = bisect_left(numbers, since, key=lambda number: self._time_near(number, since))
        return max(read, read + page - PAGE)

    def undone(self, read: int, *, thorough: bool) -> list[int]:
        """Return the numbers up to *read* of entries whose transactions were undone.

        Of the newest page and behind it only, unless *thorough*.
        """
        start = None if thorough or not self._pages else self._pages.maxKey()
        pages = list(self._pages.items(start))
        return [*missing_numbers(pages, self.last, read), *marked_numbers(pages, read)]

    def entry(self, number: int) -> Entry | None:
        """Return the entry with this number; None if it is not there."""
        found = self.page_of(number)
        if found is None:
            return None
        first, page = found
        return entry_of((entries_on(page) or ())[number - first], self._p_jar)

    def page_of(self, number: int) -> tuple[int, SegmentPage] | None:
        """Return the page that has the entry *number*, with its first number, if any."""
        for first, page in self._pages.items(number - PAGE + 1, number):
            if number < first + len(entries_on(page) or ()):
                return first, page
        return None

    def parts(self) -> Iterator[Persistent]:
        """Yield the stored objects that make up the segment."""
        leaf = first_leaf(self._pages)
        while leaf is not None:
            if leaf._p_oid is not None:
                yield leaf
            leaf = next_leaf(leaf)
        yield self._pages
        yield from self._pages.values()

    def _newest(self) -> SegmentPage | None:
        """Return the page to write on; None if no page exists, or it cannot be read."""
        if not self._pages:
            return None
        page: SegmentPage = self._pages[self._pages.maxKey()]
        try:
            page._p_activate()
        except UNREADABLE:
            return None
        return page if page.lost is None else None

    def _end(self) -> int:
        if not self._pages:
            return 1
        return self._last_on(self._pages.maxKey()) + 1

    def _last_on(self, first: int) -> int:
        """Return the number of the last entry on the page that begins with *first*."""
        entries = entries_on(self._pages[first])
        if entries is not None:
            return first + len(entries) - 1
        following = next(iter(self._pages.keys(first + 1)), first + PAGE)
        return int(following) - 1

    def _time_near(self, number: int, since: int) -> int:
        """Return the time of the first entry on the page of *number*; *since* if unreadable."""
        if number < self._pages.minKey():
            return 0
        entries = entries_on(self._pages[self._pages.maxKey(number)])
        return time_of(entries[0]) if entries else since

    def _drop(self, read: int) -> None:
        for first in list(self._pages.keys(max=read - PAGE + 1)):
            del self._pages[first]


def entries_on(page: SegmentPage) -> tuple[Stored, ...] | None:
    """Return the entries of *page* as they are stored; None if it cannot be read at all.

    An Unreadable replaces each value that cannot be read.
    """
    try:
        return page.entries if page.lost is None else None
    except UNREADABLE as error:
        log.warning("log page %r read in part: %s", page._p_oid, reason_of(error))
    try:
        entries: tuple[Stored, ...] = salvaged(page).get("entries", ())
    except UNREADABLE:
        return None
    return entries


def _transactions_on(page: SegmentPage) -> Iterator[int | None]:
    """Return what recorded the entries of *page*: the current transaction, where it is unknown."""
    try:
        page._p_activate()
        return page.transactions()
    except UNREADABLE:
        return repeat(None)
