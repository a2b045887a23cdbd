"""An append log in the database that many write and one reads, without a conflict ever.

Every writing connection has a *lane* of its own: a tree of numbered entries that it alone
extends and trims. The reader keeps, for each lane, how far it has read, and never touches the
lane. So two transactions never change the same object, whatever their length. The spool
of the scheduler and the recorded changes of livesync are both kept in lanes.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from BTrees.LOBTree import LOBTree, LOBucket
from BTrees.OOBTree import OOBTree, OOBucket
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.owner import Owner

Entry: TypeAlias = tuple[Any, ...]

PAGE = 12
# The smallest key of the register: never removed, so that inserting and removing others merge.
FRONT = ""
# The last entry of a lane that was taken out of the register.
CLOSED: Entry = ()

_own_lanes: WeakKeyDictionary[Connection, dict[bytes, str]] = WeakKeyDictionary()
os.register_at_fork(after_in_child=_own_lanes.clear)


class Lanes(Persistent):
    """A log of entries (tuples), recorded in many transactions and drained by one reader.

    Conflict behaviour: `append` conflicts with nothing. `drain` and `clear` conflict with
    each other, as two readers would. Entries of one lane keep the order in which they were
    committed; lanes are merged by the time at which entries were recorded.
    """

    def __init__(self) -> None:
        # A bucket, not a tree: it merges concurrent inserts and never splits.
        self._register = OOBucket()
        self._register[FRONT] = None
        self._read = OOBTree()  # name of a lane -> number of its last entry that was drained

    def append(self, entry: Entry) -> None:
        """Record *entry* in the transaction of the connection that this log is stored in."""
        name, lane = self._lane()
        lane.append(entry, self._read.get(name, 0))

    def pending(self) -> Iterator[Entry]:
        """Yield the entries that this snapshot sees and nobody has drained, oldest first."""
        return (entry for _, _, _, entry in self._merged())

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
        """Drop all that is pending; return how many entries that were."""
        return len(self.drain())

    def tend(self) -> int:
        """Remove drained lanes whose process on this machine is gone; return how many."""
        abandoned = [
            name
            for name, lane in self._lanes()
            if lane.owner.is_gone() and lane.last <= self._read.get(name, 0)
        ]
        for name in abandoned:
            # An owner that is alive after all would write an entry of the same number: it
            # conflicts with this one, whichever of them is committed first.
            self._register[name].append(CLOSED, 0)
            del self._register[name]
            self._read.pop(name, None)
        return len(abandoned)

    def __len__(self) -> int:
        return sum(lane.last - self._read.get(name, 0) for name, lane in self._lanes())

    def __bool__(self) -> bool:
        return any(lane.last > self._read.get(name, 0) for name, lane in self._lanes())

    def _lanes(self) -> Iterator[tuple[str, Lane]]:
        return ((name, lane) for name, lane in self._register.items() if lane is not None)

    def _merged(self) -> Iterator[tuple[int, str, int, Entry]]:
        return merge(
            *(lane.after(name, self._read.get(name, 0)) for name, lane in self._lanes()),
            key=lambda item: item[:3],
        )

    def _lane(self) -> tuple[str, Lane]:
        connection = self._p_jar
        if connection is None:
            # Not stored yet, so nobody else can write here.
            return next(self._lanes(), None) or self._open_lane()
        own = _own_lanes.setdefault(connection, {})
        name = own.get(self._p_oid, FRONT)
        lane = self._register.get(name)
        if lane is None:
            name, lane = self._open_lane()
            own[self._p_oid] = name
        return name, lane

    def _open_lane(self) -> tuple[str, Lane]:
        name = secrets.token_hex(8)
        lane = self._register[name] = Lane(Owner.this_process())
        return name, lane


class LaneLeaf(LOBucket):
    """A leaf of the tree of pages."""


class LanePages(LOBTree):
    """The pages of a lane; by its class it is told from the application's own data."""

    _bucket_type = LaneLeaf


class LanePage(Persistent):
    """A few entries of a lane, one after the other, each (time in nanoseconds, *entry)."""

    entries: tuple[Entry, ...] = ()


class Lane(Persistent):
    """What one connection recorded, in numbered entries on pages.

    Written by its owner alone. Each append writes one page anew, which is small, and hardly
    ever the tree of pages. The newest page always stays, so that numbers go on from it.
    """

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._pages = LanePages()  # number of its first entry -> page

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 where there is none."""
        return self._end() - 1

    def append(self, entry: Entry, read: int) -> None:
        """Add *entry*; where that needs a new page, drop those that were read up to *read*."""
        recorded = time.time_ns()
        newest = self._pages[self._pages.maxKey()] if self._pages else None
        if newest is not None:
            # Clocks step back; the order of a lane does not.
            recorded = max(recorded, newest.entries[-1][0] + 1)
        if newest is None or len(newest.entries) == PAGE:
            end = self._end()
            self._drop(read)
            newest = self._pages[end] = LanePage()
        newest.entries = (*newest.entries, (recorded, *entry))

    def after(self, name: str, number: int) -> Iterator[tuple[int, str, int, Entry]]:
        """Yield (time, *name*, number, entry) for the entries behind *number*."""
        for first, page in self._pages.items(number - PAGE + 2):
            for key, (recorded, *entry) in enumerate(page.entries, first):
                if key > number:
                    yield recorded, name, key, tuple(entry)

    def _end(self) -> int:
        if not self._pages:
            return 1
        first: int = self._pages.maxKey()
        return first + len(self._pages[first].entries)

    def _drop(self, read: int) -> None:
        for first in list(self._pages.keys(max=read - PAGE + 1)):
            del self._pages[first]
