"""The track: what changed, bin by bin, and a pointer for everybody who follows it.

Reference 4.1. A *position* is the integer number of a bin; the newest bin comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from BTrees.LOBTree import LOBTree
from BTrees.OOBTree import OOBTree
from persistent import Persistent

from livesync.errors import (
    DuplicatePointerException,
    EmptyTrackException,
    UnknownPointerException,
)
from livesync.track.pointer import Frontier, Horizon, Pointer, TrackEnd, hold

ALL_BUT_NEWEST = -1

Item = tuple[int, Any]
Result = TypeVar("Result")


def key_of(position: int) -> int:
    """Return the tree's key of *position*, the newest first; TypeError for what is none."""
    if not isinstance(position, int):
        raise TypeError(f"a position is a whole number, not {position!r}")
    return -position


def _same(item: Item) -> Any:
    return item


class MultiPointerTrack(Persistent):
    """Bins of changes by position, and named pointers to positions.

    *elemContainer* is called for each new bin's container. Abstract: a concrete track says
    with `add` how a value gets into one. Conflict behaviour: pointers move independently of
    each other and of additions.
    """

    def __init__(self, elemContainer: Callable[[], Any]) -> None:
        self._container = elemContainer
        self._bins = LOBTree()  # minus the position -> container, so that the newest is first
        self._pointers = OOBTree()
        self._frontier = Frontier()
        self._tail = TrackEnd()
        self._horizon = Horizon()

    def add(self, intTS: int, value: Any) -> None:
        """Put *value* into the bin at position *intTS*, which is made where it is missing."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a value is added")

    def addPointer(self, pid: str, startPos: int | None = None) -> None:
        """Put up pointer *pid*, before the oldest bin or at *startPos*.

        Raises DuplicatePointerException, and EmptyTrackException for a start on an empty track.
        """
        if pid in self._pointers:
            raise DuplicatePointerException(
                f"pointer {pid!r} stands on this track already: use movePointer to move it, or "
                "remove it first"
            )
        if startPos is not None:
            self._refuse_if_empty()
            key_of(startPos)
        self._pointers[pid] = Pointer()
        if startPos is not None:
            self.movePointer(pid, startPos)

    def removePointer(self, pid: str) -> None:
        """Remove pointer *pid*; raises KeyError for an unknown one."""
        self._pointer(pid)
        del self._pointers[pid]

    def movePointer(self, pid: str, pos: int | None) -> None:
        """Move pointer *pid* to *pos*, forth or back, whether or not a bin is there.

        Raises KeyError if there is no such pointer, EmptyTrackException on an empty track.
        """
        pointer = self._pointer(pid)
        self._refuse_if_empty()
        if pos is not None:
            key_of(pos)
        pointer.position = pos
        if pos is not None:
            self.reach(pos)

    def getPointerTimestamp(self, pid: str) -> int | None:
        """Return where *pid* stands, None for before the oldest bin; KeyError if unknown."""
        return self._pointer(pid).position

    def getCurrentPosition(self, pid: str) -> Any:
        """Return the container of the bin at which *pid* stands.

        Raises KeyError if there is no such bin, TypeError if *pid* stands before all of them.
        """
        position = self.getPointerTimestamp(pid)
        if position is None:
            raise TypeError(f"pointer {pid!r} has not been moved yet, so it is at no entry")
        return self[position]

    def getPointers(self) -> dict[str, int | None]:
        """Return the position of every pointer by its id."""
        return {pid: pointer.position for pid, pointer in self._pointers.items()}

    def iterate(
        self,
        fromPos: int | None = None,
        till: int | None = None,
        func: Callable[[Item], Result] = _same,
    ) -> Iterator[Result]:
        """Yield *func*((position, element)) for what lies behind *fromPos* up to *till*.

        *fromPos* is excluded, *till* included; a *till* of -1 leaves the newest bin out.
        """
        for position in self._stretch(fromPos, till):
            for element in self[position]:
                yield func((position, element))

    def pointerIterItems(self, pid: str, till: int | None = None) -> Iterator[Item]:
        """Yield the (position, element) pairs that *pid* still has before it."""
        return self.iterate(self.getPointerTimestamp(pid), till)

    def pointerIterValues(self, pid: str, till: int | None = None) -> Iterator[Any]:
        """Yield the elements that *pid* still has before it."""
        return self.iterate(self.getPointerTimestamp(pid), till, lambda item: item[1])

    def mostRecentTS(self, maximum: int | None = None) -> int:
        """Return the newest position, or *maximum* if that is older.

        Raises EmptyTrackException.
        """
        self._refuse_if_empty()
        newest = next(self._positions())
        return newest if maximum is None else min(newest, maximum)

    def oldestTS(self) -> int:
        """Return the oldest position; raises EmptyTrackException."""
        self._refuse_if_empty()
        return -int(self._bins.maxKey())

    def last_before(self, till: int | None) -> int | None:
        """Return the position up to which a reading till *till* goes; None if it has nothing.

        That is the newest one for None, and the one before it for -1.
        """
        newest_first = self._positions()
        newest = next(newest_first, None)
        if till == ALL_BUT_NEWEST:
            return next(newest_first, None)
        return newest if till is None or newest is None else till

    def next_after(self, position: int | None) -> int | None:
        """Return the oldest position, of those newer than *position*, or None."""
        try:
            return -int(self._bins.maxKey(*([] if position is None else [-position - 1])))
        except ValueError:
            return None

    def reach_of(self, behind: int | None, till: int, count: int) -> int:
        """Return up to where *count* elements lie behind *behind*: whole bins, *till* at most."""
        position = self.next_after(behind)
        while position is not None and position < till:
            count -= len(self[position])
            if count <= 0:
                return position
            position = self.next_after(position)
        return till

    def prepareEntry(self, ts: int) -> None:
        """Make the bin at *ts*, empty; one that is there stays as it is."""
        if ts not in self:
            self._bins[key_of(ts)] = self._container()

    def values(self, newest: int | None = None, oldest: int | None = None) -> list[Any]:
        """Return the containers from *newest* to *oldest*, both included, newest first."""
        return [self[position] for position in self._positions(newest, oldest)]

    def is_empty(self) -> bool:
        """Say whether there is no bin at all."""
        return next(self._positions(), None) is None

    @property
    def frontier(self) -> int | None:
        """The newest position that any pointer or reader ever passed; None if none did.

        A sequencer adds only beyond it, so that no change falls behind a pointer.
        """
        return self._frontier.position

    @property
    def horizon(self) -> int | None:
        """The newest position up to which changes may be gone; None if there was no trimming."""
        return self._horizon.position

    def note_trimming(self, position: int) -> None:
        """Note that the changes up to *position* are to be trimmed."""
        if self.horizon is None or position > self.horizon:
            self._horizon.position = position

    def trim(self, position: int, limit: int) -> int:
        """Drop elements up to *position*, at most about *limit*; return how many that were."""
        count = 0
        for old in list(islice(self._positions(position), limit)):
            count += max(1, len(self[old]))
            del self[old]
            if count >= limit:
                break
        return count

    def size(self, behind: int | None = None) -> int:
        """Return how many elements lie behind position *behind*, or are there at all."""
        return sum(len(self[position]) for position in self._stretch(behind, None))

    def reach(self, position: int) -> None:
        """Note that somebody has read up to *position*, and may put a pointer there.

        Conflicts with a sequencer that adds at the same time.
        """
        if self.frontier is None or position > self.frontier:
            self._frontier.position = position
            hold(self._tail)

    def extend(self) -> None:
        """Announce additions by a sequencer, in a transaction that conflicts with `reach`."""
        hold(self._frontier)
        self._tail.extensions += 1

    def __getitem__(self, key: int | slice) -> Any:
        """Return the container at a position, or those of [newer:older], both included."""
        if not isinstance(key, slice):
            return self._bin(key)
        if key.step is not None:
            raise TypeError("a track is read bin by bin: a slice of it has no step")
        return self.values(key.start, key.stop)

    def __delitem__(self, ts: int) -> None:
        """Drop the bin at *ts*; raises KeyError."""
        self._bin(ts)
        del self._bins[-ts]

    def __contains__(self, ts: object) -> bool:
        return isinstance(ts, int) and -ts in self._bins

    def __iter__(self) -> Iterator[Item]:
        return self.iterate()

    def __len__(self) -> int:
        """Return the number of bins."""
        return sum(1 for _ in self._positions())

    def __bool__(self) -> bool:
        return True

    def _bin(self, ts: int) -> Any:
        if ts not in self:
            raise KeyError(ts)
        return self._bins[-ts]

    def _positions(self, newest: int | None = None, oldest: int | None = None) -> Iterator[int]:
        first = None if newest is None else -newest
        last = None if oldest is None else -oldest
        for key in self._bins.keys(first, last):
            yield -key

    def _stretch(self, behind: int | None, till: int | None) -> Iterator[int]:
        oldest = None if behind is None else behind + 1
        if till == ALL_BUT_NEWEST:
            newest = next(self._positions(), None)
            return islice(self._positions(newest, oldest), 1, None)
        return self._positions(till, oldest)

    def _pointer(self, pid: str) -> Pointer:
        try:
            pointer: Pointer = self._pointers[pid]
        except (KeyError, TypeError):
            known = ", ".join(map(repr, self._pointers)) or "none"
            raise UnknownPointerException(
                f"no pointer {pid!r} on this track; there are: {known}"
            ) from None
        return pointer

    def _refuse_if_empty(self) -> None:
        if self.is_empty():
            raise EmptyTrackException("the track is empty: it has no positions yet")
