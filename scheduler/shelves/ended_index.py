"""The indexes of ended runs: tasks and occurrences by the time at which they ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from BTrees.Length import Length
from persistent import Persistent

from scheduler.queue import MICROSECONDS, TimeOrder, microseconds
from scheduler.storage.internals import descending


class TaskIndex(Persistent):
    """Tasks and occurrences, in the order in which they ended; written by the scheduler alone."""

    def __init__(self) -> None:
        self._elements = TimeOrder()
        self._length = Length()

    def add(self, ended: datetime, element: Any) -> None:
        """Add *element*, which ended at *ended*; adding it twice is adding it once."""
        if self._elements.insert((microseconds(ended.timestamp()), element)):
            self._length.change(1)

    def remove(self, ended: datetime, element: Any) -> None:
        """Remove *element*, which ended at *ended*; KeyError if it is not there."""
        self._elements.remove((microseconds(ended.timestamp()), element))
        self._length.change(-1)

    def discard(self, ended: datetime, element: Any) -> None:
        """Remove *element*, if it is there."""
        if (microseconds(ended.timestamp()), element) in self._elements:
            self.remove(ended, element)

    def values(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Any]:
        """Yield the elements that ended from *since* to *until*, both included, oldest first."""
        low = since and (microseconds(since.timestamp()),)
        high = until and (microseconds(until.timestamp()) + 1,)
        return (element for _, element in self._elements.keys(low, high))

    def items(self) -> Iterator[tuple[float, Any]]:
        """Yield (second, element), oldest first."""
        return ((ended / MICROSECONDS, element) for ended, element in self._elements)

    def newest(self, before: float | None = None) -> Iterator[tuple[float, Any]]:
        """Yield (second, element), newest first, of what ended *before* that moment.

        Yielded elements may be removed meanwhile.
        """
        bound = None if before is None else (microseconds(before),)
        while (latest := self._latest(bound)) is not None:
            bound = (latest,)
            for ended, element in reversed(list(self._elements.keys(bound, (latest + 1,)))):
                yield ended / MICROSECONDS, element

    def before(self, position: tuple[Any, ...] | None) -> Iterator[tuple[int, Any]]:
        """Yield (microseconds, element), newest first, before *position*; only reads."""
        return descending(self._elements, position)

    def behind(self, position: tuple[int, Any] | None) -> Iterator[tuple[int, Any]]:
        """Yield (microseconds, element), oldest first, behind *position*, an earlier one."""
        return iter(self._elements.keys(position, excludemin=position is not None))

    def __iter__(self) -> Iterator[Any]:
        return self.values()

    def __len__(self) -> int:
        count: int = self._length()
        return count

    def _latest(self, bound: tuple[int] | None) -> int | None:
        try:
            ended: int = self._elements.maxKey(*(() if bound is None else (bound,)))[0]
        except ValueError:  # the index is empty
            return None
        return ended
