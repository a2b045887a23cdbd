"""The waiting queue: an IOBTree of time bins, in which the next due element is found at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from BTrees.IOBTree import IOBTree
from BTrees.Length import Length
from BTrees.OOBTree import OOTreeSet
from persistent import Persistent

from scheduler.errors import SchedulerException

Seconds: TypeAlias = float

MICROSECONDS = 1_000_000
# 32-bit keys of this many seconds reach beyond the year 9999; keys of single seconds end in 2038.
BIN = 128 * MICROSECONDS
# When something is due that stands in the queue and is not to be taken: the end of the year 9999,
# at half a second, which is no date that anybody gives.
NEVER_DUE = 253_402_300_799.5
# The same for what waits until others have ended, rather than until it is resumed.
BLOCKED_DUE = NEVER_DUE - 1


class DuplicateElementException(SchedulerException):
    """The element stands in the queue at that very time already."""


class TimeOrder(OOTreeSet):
    """A set of (microseconds, element), in nodes that are small enough to be written anew often."""

    max_leaf_size = 40
    max_internal_size = 40


class PersistentWaitingQueue(Persistent):
    """Elements that wait for their time (reference 3.2).

    Times are seconds since 1970, in UTC; a fraction counts for the order, while whole seconds
    are what comes out. Elements of one time are ordered by themselves, so they need an order.
    Conflict behaviour: one writer is assumed; two conflict when they change the same bin.
    """

    def __init__(self) -> None:
        self._bins = IOBTree()  # time // BIN -> set of (microseconds, element)
        self._length = Length()

    def enqueue(self, t: Seconds, obj: Any) -> None:
        """Add *obj* to be due at *t*; DuplicateElementException if it is there already."""
        due = microseconds(t)
        elements = self._bins.get(due // BIN)
        if elements is None:
            elements = self._bins[due // BIN] = TimeOrder()
        if not elements.insert((due, obj)):
            raise DuplicateElementException(f"{obj!r} is queued for second {due // MICROSECONDS}")
        self._length.change(1)

    def dequeue(self, t: Seconds, obj: Any) -> None:
        """Remove *obj*, due at *t* (any moment of a whole second); KeyError if it is not there."""
        due = self._find(t, obj)
        elements = self._bins[due // BIN]
        elements.remove((due, obj))
        if not elements:
            del self._bins[due // BIN]
        self._length.change(-1)

    def has(self, t: Seconds, obj: Any) -> bool:
        """Say whether *obj* stands here, due at *t* (any moment of a whole second)."""
        try:
            self._find(t, obj)
        except KeyError:
            return False
        return True

    def discard(self, obj: Any) -> bool:
        """Remove *obj*, whenever it is due; say whether it was here. All elements are looked at."""
        dues = [due for due, element in self._items() if element is obj]
        for due in dues:
            self.dequeue(due / MICROSECONDS, obj)
        return bool(dues)

    def peek(self) -> tuple[int, Any] | None:
        """Return (second, element) of what is due first; None for an empty queue."""
        first = next(self._items(), None)
        return first and (first[0] // MICROSECONDS, first[1])

    def pop(self) -> tuple[int, Any] | None:
        """Remove what is due first and return (second, element); None for an empty queue."""
        first = next(self._items(), None)
        if first is None:
            return None
        self.dequeue(first[0] / MICROSECONDS, first[1])
        return first[0] // MICROSECONDS, first[1]

    def next_due(self) -> Seconds | None:
        """Return when the first element is due, with fraction; None for an empty queue."""
        first = next(self._items(), None)
        return first and first[0] / MICROSECONDS

    def pop_due(self, now: Seconds, limit: int) -> list[Any]:
        """Remove and return the elements due at *now* or before, oldest first, at most *limit*."""
        latest = microseconds(now)
        popped: list[Any] = []
        while len(popped) < limit and self._bins and self._bins.minKey() <= latest // BIN:
            key = self._bins.minKey()
            elements = self._bins[key]
            due = _first(elements.keys(max=(latest + 1,)), limit - len(popped))
            if not due:
                break
            for item in due:
                elements.remove(item)
            if not elements:
                del self._bins[key]
            popped.extend(element for _, element in due)
        if popped:  # a change by nothing would be written, too
            self._length.change(-len(popped))
        return popped

    def nbins(self) -> int:
        """Return for how many different seconds something waits."""
        return sum(1 for _ in self._seconds())

    def __len__(self) -> int:
        count: int = self._length()
        return count

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return ((due // MICROSECONDS, element) for due, element in self._items())

    def __getitem__(self, t: int) -> list[Any]:
        """Return the elements due in second *t*, in order; KeyError where there are none."""
        found = [element for _, element in self._within(t)]
        if not found:
            raise KeyError(t)
        return found

    def behind(self, position: tuple[int, Any] | None) -> Iterator[tuple[int, Any]]:
        """Yield (microseconds, element) in order, behind *position*, which may be gone."""
        if position is None:
            yield from self._items()
            return
        first = position[0] // BIN
        for key, elements in self._bins.items(first):
            is_first = key == first
            yield from elements.keys(position, excludemin=True) if is_first else elements

    def _items(self) -> Iterator[tuple[int, Any]]:
        for elements in self._bins.values():
            yield from elements

    def _within(self, t: Seconds) -> Iterator[tuple[int, Any]]:
        second = microseconds(t) // MICROSECONDS * MICROSECONDS
        elements = self._bins.get(second // BIN, ())
        return iter(elements and elements.keys((second,), (second + MICROSECONDS,)))

    def _find(self, t: Seconds, obj: Any) -> int:
        due = microseconds(t)
        if (due, obj) in self._bins.get(due // BIN, ()):
            return due
        for found, element in self._within(t):
            if element == obj:
                return found
        raise KeyError(f"{obj!r} is not queued for second {due // MICROSECONDS}")

    def _seconds(self) -> Iterator[int]:
        for elements in self._bins.values():
            start: tuple[int, ...] | None = None
            for due, _ in elements:
                if start is None or due // MICROSECONDS > start[0]:
                    start = (due // MICROSECONDS,)
                    yield start[0]


def microseconds(t: Seconds) -> int:
    """Return *t* seconds as whole microseconds."""
    return t * MICROSECONDS if isinstance(t, int) else round(t * MICROSECONDS)


def _first(items: Any, count: int) -> list[tuple[int, Any]]:
    return [item for item, _ in zip(items, range(count), strict=False)]
