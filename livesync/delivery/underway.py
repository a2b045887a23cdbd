"""The records under way: handed to the agent, and not yet accepted or refused."""

from __future__ import annotations

from collections import deque
from typing import Any

from livesync.delivery.record_keys import key

Marked = tuple[str, Any]
"""A record as it was made, with its mark."""


class RecordsUnderway:
    """Finds the record that was made in what an agent gives to its uploader."""

    def __init__(self) -> None:
        self._records: dict[Any, deque[Marked]] = {}

    def add(self, mark: str, record: Any) -> None:
        """Expect *record* to come back."""
        self._records.setdefault(key(record), deque()).append((mark, record))

    def knows(self, item: Any) -> bool:
        """Say whether *item* is a record that is expected, perhaps as another tuple."""
        return bool(self._records.get(key(item)))

    def peek(self, item: Any) -> Marked:
        """Return the record that *item* is."""
        return self._records[key(item)][0]

    def take(self, item: Any) -> Marked:
        """Return the record that *item* is, and expect it no more."""
        waiting = self._records[key(item)]
        found = waiting.popleft()
        if not waiting:
            del self._records[key(item)]
        return found

    def remaining(self) -> list[Any]:
        """Return the records that have not come back."""
        return [record for waiting in self._records.values() for _, record in waiting]
