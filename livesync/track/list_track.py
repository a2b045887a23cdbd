"""ListMultiPointerTrack: the track whose bins are lists."""

from __future__ import annotations

from typing import Any

from persistent.list import PersistentList

from livesync.track.track import MultiPointerTrack


class ListMultiPointerTrack(MultiPointerTrack):
    """A track whose bins are lists: every value counts, in the order in which they came.

    Conflict behaviour: transactions that add to the same bin at once conflict.
    """

    def __init__(self) -> None:
        super().__init__(PersistentList)

    def add(self, intTS: int, value: Any) -> None:
        """Append *value* to the bin at *intTS*."""
        self.prepareEntry(intTS)
        self[intTS].append(value)
