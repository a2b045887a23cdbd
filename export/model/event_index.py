"""The index of events: by date in each category, and by the words of their titles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent

from export.model.entry import natural
from export.model.word_index import WordIndex

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
UNDATED = 2**62

Key = tuple[int, int, str]
"""Start, end and id of an event; both times in microseconds since 1970 UTC."""


class DateIndex(Persistent):
    """The events of one category and those below it, by start and by end.

    Transactions that change different events merge, unless a tree's bucket splits.
    """

    def __init__(self) -> None:
        self._by_start = OOTreeSet()
        self._by_end = OOTreeSet()

    def add(self, key: Key) -> None:
        """Note an event."""
        start, end, event_id = key
        self._by_start.insert(key)
        self._by_end.insert((end, start, event_id))

    def remove(self, key: Key) -> None:
        """Forget an event."""
        start, end, event_id = key
        self._by_start.remove(key)
        self._by_end.remove((end, start, event_id))

    def ids(self, start: datetime | None, end: datetime | None) -> Iterator[str]:
        """Yield the ids of what takes place at some time from *start* to *end*, by start and id.

        None leaves that side open. Events without dates come last, and only where both are open.
        """
        first = _micros(start, -UNDATED)
        last = _micros(end, UNDATED - 1 if start is not None else UNDATED)
        if start is None:
            keys: Iterable[Key] = self._by_start.keys(None, (last, UNDATED + 1))
        else:
            late = self._by_end.keys((first,), (UNDATED,))
            keys = sorted((begin, stop, one) for stop, begin, one in late if begin <= last)
        return (event_id for _, _, event_id in _in_order(keys))


class EventIndex(Persistent):
    """Every event that is in the catalogue: its dates, its title, the categories it is below."""

    def __init__(self) -> None:
        self._known = OOBTree()
        self._calendars = OOBTree()
        self._titles = WordIndex()

    def refresh(self, event: Any) -> None:
        """Note *event* as it is now."""
        record = _record(event)
        if self._known.get(event.getId()) != record:
            self.forget(event)
            self._known[event.getId()] = record
            self._enter(event.getId(), record)

    def forget(self, event: Any) -> None:
        """Forget *event*; nothing happens if it is not known."""
        record = self._known.pop(event.getId(), None)
        if record is None:
            return
        key, title, path = record
        for category_id in path:
            self._calendars[category_id].remove(key)
        self._titles.remove(event.getId(), title)

    def between(
        self, category_id: str, start: datetime | None, end: datetime | None
    ) -> Iterator[str]:
        """Yield the ids of events in or below a category; see DateIndex.ids."""
        calendar = self._calendars.get(category_id)
        return calendar.ids(start, end) if calendar is not None else iter(())

    def search(self, text: str) -> list[str]:
        """Return the ids of events whose title has every word of *text*, the best match first.

        Among equals the earlier one is first; see WordIndex.search.
        """
        found = self._titles.search(text)
        return sorted(found, key=lambda one: (-found[one], self._known[one][0][0], natural(one)))

    def _enter(self, event_id: str, record: tuple[Key, str, tuple[str, ...]]) -> None:
        key, title, path = record
        for category_id in path:
            if category_id not in self._calendars:
                self._calendars[category_id] = DateIndex()
            self._calendars[category_id].add(key)
        self._titles.add(event_id, title)


def key_of(start: datetime | None, end: datetime | None, id: str) -> Key:
    """Return the key of what takes place from *start* to *end*."""
    return _micros(start or end, UNDATED), _micros(end or start, UNDATED), id


def _record(event: Any) -> tuple[Key, str, tuple[str, ...]]:
    key = key_of(event.getStartDate(), event.getEndDate(), event.getId())
    path = tuple(category.getId() for category in event.getOwner().getCategoryPath())
    return key, event.getTitle(), path


def _micros(moment: datetime | None, default: int) -> int:
    return (moment - EPOCH) // MICROSECOND if moment is not None else default


def _in_order(keys: Iterable[Key]) -> Iterator[Key]:
    """Yield *keys*, which are sorted by start, with ids of the same start by their number."""
    same: list[Key] = []
    for key in keys:
        if same and same[0][0] != key[0]:
            yield from sorted(same, key=lambda one: natural(one[2]))
            same = []
        same.append(key)
    yield from sorted(same, key=lambda one: natural(one[2]))
