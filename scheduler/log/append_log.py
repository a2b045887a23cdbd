"""An append log in the database: many writers and one reader, without conflicts.

Every writing connection has a *segment* of its own: a tree of numbered entries that it alone
extends and trims. The reader stores the number of the last entry read of each segment, and never
writes the segment. So two transactions never change the same object, whatever their length. The
spool of the scheduler and the recorded changes of livesync are append logs.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from BTrees.LOBTree import LOBTree, LOBucket
from BTrees.OOBTree import OOBTree, OOBucket, OOTreeSet
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import ConflictError

from scheduler.log.codec import Entry, Stored, entry_of, stored, time_of
from scheduler.log.undone_entries import entry_of_old, marked_numbers, missing_numbers
from scheduler.storage.internals import first_leaf, next_leaf, reader_of
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store.missing_class import UNREADABLE, reason_of, salvaged
from scheduler.store.overwrite import overwrite, record_of

log = logging.getLogger(__name__)

# Entries on a page.
PAGE = 12
# The smallest key of the register: never removed, so that inserting and removing others merge.
FRONT = ""
# The last entry of a segment that was taken out of the register.
CLOSED: Entry = ()
# Greater than any number of an entry.
ALL = float("inf")

# By process as well: a connection that was opened before a fork is two, which share no segment.
_own_segments: WeakKeyDictionary[Connection, dict[tuple[int, bytes], str]] = WeakKeyDictionary()


Place: TypeAlias = tuple[int, str, int]
"""The place of an entry in a log: its time, the name of its segment, its number there."""


class AppendLog(Persistent):
    """A log of entries (tuples), recorded in many transactions and drained by one reader.

    Conflict behaviour: `append` conflicts with nothing. `drain` and `clear` conflict with
    each other, as two readers would. Entries of one segment keep the order in which they were
    committed; segments are merged by the time at which entries were recorded.
    """

    def __init__(self) -> None:
        # A bucket, not a tree: it merges concurrent inserts and never splits.
        self._register = _empty_register()
        self._read = OOBTree()  # name of a segment -> number of its last entry that was drained
        self._revoked = OOTreeSet()  # (name of a segment, number) that `revoked` has returned

    def append(self, entry: Entry) -> None:
        """Record *entry* in the transaction of the connection that this log is stored in."""
        name, segment = self._segment()
        segment.append(entry, self._read.get(name, 0))

    def pending(self) -> Iterator[Entry]:
        """Yield the visible entries that are not drained, oldest first."""
        return (entry for _, entry in self.placed())

    def placed(self, behind: Place | None = None) -> Iterator[tuple[Place, Entry]]:
        """Yield the pending entries with their places, oldest first, *behind* such a place."""
        for time_, name, number, entry in self._merged(behind):
            place = time_, name, number
            if behind is None or place > behind:
                yield place, entry

    def drain(self, limit: int | None = None) -> list[Entry]:
        """Take the oldest pending entries, at most *limit*, in the current transaction."""
        read: dict[str, int] = {}
        entries = []
        for _, name, number, entry in islice(self._merged(), limit):
            read[name] = number
            entries.append(entry)
        self._read.update(read)
        return entries

    def clear(self) -> int:
        """Drop all pending entries; return their number."""
        return len(self.drain())

    def revoked(self, *, thorough: bool = False) -> list[Entry]:
        """Take the drained entries whose transaction was undone since, in the current transaction.

        Only the newest page of each segment is read, unless *thorough*.
        """
        entries = (
            segment.entry(number) or entry_of_old(segment, number)
            for name, segment, number in self._undone(thorough)
            if self._revoked.insert((name, number))
        )
        return [entry for entry in entries if entry is not None]

    def skip(self, lost: UnreadablePage) -> SegmentPage:
        """Mark the entries on an unreadable page as drained, and return what is kept of it.

        The page is written anew: whoever adds an entry to it meanwhile conflicts.
        """
        kept = SegmentPage()
        kept.lost = record_of(lost.page)
        kept.drained = max(0, self._read.get(lost.name, 0) + 1 - lost.first)
        overwrite(lost.page, kept)
        self._read[lost.name] = lost.last
        return kept

    def mend(self, is_sound: Callable[[Persistent], bool]) -> None:
        """Put in order what cannot be read; *is_sound* says whether a part can.

        Segments that cannot be read are dropped. If it is not known how far the others were
        drained, all their entries count as drained.
        """
        if not is_sound(self._register):
            overwrite(self._register, _empty_register())
        for name, segment in list(self._segments()):
            if not is_sound(segment):
                del self._register[name]
        if not is_sound(self._read):
            overwrite(self._read, OOBTree())
            self._read.update({name: segment.last for name, segment in self._segments()})
        if not is_sound(self._revoked):
            overwrite(self._revoked, OOTreeSet())

    def has_revoked(self) -> bool:
        """Return whether `revoked` would return entries."""
        return any((name, number) not in self._revoked for name, _, number in self._undone(False))

    def tend(self) -> int:
        """Remove drained segments whose process on this machine has ended; return their number."""
        abandoned = [
            name
            for name, segment in self._segments()
            if segment.owner.is_gone() and segment.last <= self._read.get(name, 0)
        ]
        for name in abandoned:
            # An owner that is alive after all would write an entry of the same number, which
            # conflicts with this one.
            self._register[name].append(CLOSED, 0)
            del self._register[name]
            self._read.pop(name, None)
            for key in list(self._revoked.keys((name,), (name, ALL))):
                self._revoked.remove(key)
        return len(abandoned)

    def __len__(self) -> int:
        return sum(
            max(0, segment.last - self._read.get(name, 0)) for name, segment in self._segments()
        )

    def __bool__(self) -> bool:
        return any(segment.last > self._read.get(name, 0) for name, segment in self._segments())

    def _undone(self, thorough: bool) -> Iterator[tuple[str, Segment, int]]:
        for name, segment in self._segments():
            for number in segment.undone(self._read.get(name, 0), thorough=thorough):
                yield name, segment, number

    def _segments(self) -> Iterator[tuple[str, Segment]]:
        return ((name, segment) for name, segment in self._register.items() if segment is not None)

    def _merged(self, behind: Place | None = None) -> Iterator[tuple[int, str, int, Entry]]:
        since = 0 if behind is None else behind[0]
        return merge(
            *(
                segment.after(name, segment.start(self._read.get(name, 0), since))
                for name, segment in self._segments()
            ),
            key=lambda item: item[:3],
        )

    def _segment(self) -> tuple[str, Segment]:
        connection = self._p_jar
        if connection is None:
            # Not stored yet, so nobody else can write here.
            return next(self._segments(), None) or self._open_segment()
        own = _own_segments.setdefault(connection, {})
        key = (os.getpid(), self._p_oid)
        name = own.get(key, FRONT)
        segment = self._register.get(name)
        if segment is None:
            name, segment = self._open_segment()
            own[key] = name
        return name, segment

    def _open_segment(self) -> tuple[str, Segment]:
        name = secrets.token_hex(8)
        segment = self._register[name] = Segment(ProcessIdentity.this_process())
        return name, segment


def _empty_register() -> OOBucket:
    register = OOBucket()
    register[FRONT] = None
    return register


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
    undone: tuple[int, ...] = ()
    """The indexes of entries whose transactions were undone."""
    lost: bytes | None = None
    """The record of a page that could not be read, and was skipped; None for other pages."""
    drained: int = 0
    """How many entries of a page that was skipped had been drained before."""

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
        if newest is None or len(newest.entries) == PAGE or end <= read:
            end = max(end, read + 1)
            self._drop(read)
            newest = self._pages[end] = SegmentPage()
        newest.entries = (*newest.entries, stored(recorded, entry, self._p_jar))

    def after(self, name: str, number: int) -> Iterator[tuple[int, str, int, Entry]]:
        """Yield (time, *name*, number, entry) for the entries behind *number*."""
        for first, page in self._pages.items(number - PAGE + 2):
            entries = entries_on(page)
            if entries is None and self._last_on(first) > number:
                raise UnreadablePage(name, first, self._last_on(first), page)
            for key, found in enumerate(entries or (), first):
                if key > number:
                    yield time_of(found), name, key, entry_of(found, self._p_jar)

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
