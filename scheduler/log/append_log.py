"""An append log in the database: many writers and one reader, without conflicts.

Every writing connection has a *segment* of its own: a tree of numbered entries that it alone
extends and trims. The reader stores the number of the last entry read of each segment, and never
writes the segment. So two transactions never change the same object, whatever their length. The
spool of the scheduler and the recorded changes of livesync are append logs.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from typing import TypeAlias
from weakref import WeakKeyDictionary

from BTrees.OOBTree import OOBTree, OOBucket, OOTreeSet
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.log.codec import Entry
from scheduler.log.segment import Numbered, Segment, SegmentPage, UnreadablePage
from scheduler.log.undone_entries import entry_of_old
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store.overwrite import overwrite, record_of

# The smallest key of the register: never removed, so that inserting and removing others merge.
FRONT = ""
# The last entry of a segment that was taken out of the register.
CLOSED: Entry = ()
# Greater than any number of an entry.
ALL = float("inf")

# By process as well: a connection that was opened before a fork is two, which share no segment.
_own_segments: WeakKeyDictionary[Connection, dict[tuple[int, bytes], str]] = WeakKeyDictionary()


LogPosition: TypeAlias = tuple[int, str, int]
"""The position of an entry in a log: its time, the name of its segment, its number there."""

Committed: TypeAlias = tuple[int | None, Entry]
"""An entry behind the number of the transaction that recorded it; None for the current one."""


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
        return (entry for _, entry in self.positioned())

    def positioned(self, behind: LogPosition | None = None) -> Iterator[tuple[LogPosition, Entry]]:
        """Yield the pending entries with their positions, oldest first, *behind* one."""
        for time_, name, number, entry, _ in self._merged(behind):
            position = time_, name, number
            if behind is None or position > behind:
                yield position, entry

    def drain(self, limit: int | None = None) -> list[Entry]:
        """Take the oldest pending entries, at most *limit*, in the current transaction."""
        return [entry for _, entry in self.drain_committed(limit)]

    def committed(self) -> Iterator[Committed]:
        """Yield the pending entries with the transactions that recorded them, oldest first."""
        return ((tid, entry) for *_, entry, tid in self._merged())

    def drain_committed(self, limit: int | None = None) -> list[Committed]:
        """Take entries as `drain` does, with the transactions that recorded them."""
        read: dict[str, int] = {}
        entries = []
        for _, name, number, entry, tid in islice(self._merged(), limit):
            read[name] = number
            entries.append((tid, entry))
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

    def _merged(self, behind: LogPosition | None = None) -> Iterator[Numbered]:
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
