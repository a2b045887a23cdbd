"""SetMultiPointerTrack: the track whose bins are ordered sets (reference 4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from livesync.track.bin import SortedBin
from livesync.track.merging_set import MergingTreeSet
from livesync.track.track import MultiPointerTrack, key_of


class SetMultiPointerTrack(MultiPointerTrack):
    """A track whose bins are ordered sets: equal elements are one, order is the elements' own.

    Conflict behaviour: transactions that add at once merge, to a fresh bin and of equal
    elements too.
    """

    def __init__(self) -> None:
        super().__init__(set)
        # All bins in one tree, so that making one is no write that could conflict: (minus the
        # position,) for a prepared bin, (minus the position, element) for each element.
        self._bins = MergingTreeSet()

    def add(self, intTS: int, value: Any) -> None:
        """Put *value* into the bin at *intTS*, unless an equal one is there."""
        self._bins.add((key_of(intTS), value))

    def prepareEntry(self, ts: int) -> None:
        """Make the bin at *ts*, empty; one that is there stays as it is."""
        self._bins.add((key_of(ts),))

    def oldestTS(self) -> int:
        """Return the oldest position; raises EmptyTrackException."""
        self._refuse_if_empty()
        return -int(self._bins.maxKey()[0])

    def next_after(self, position: int | None) -> int | None:
        """Return the oldest position, of those newer than *position*, or None."""
        try:
            # No key has a fraction: so no element is ever compared with anything.
            return -int(self._bins.maxKey(*([] if position is None else [(-position - 0.5,)]))[0])
        except ValueError:
            return None

    def trim(self, position: int, limit: int) -> int:
        """Drop elements up to *position*, at most *limit*; return how many that were."""
        keys = list(islice(self._bins.keys((-position,)), limit))
        for key in keys:
            self._bins.remove(key)
        return len(keys)

    def size(self, behind: int | None = None) -> int:
        """Return how many elements lie behind *behind*, or are there at all.

        A prepared bin counts as one.
        """
        return len(self._bins if behind is None else self._bins.keys(max=(-behind - 0.5,)))

    def __delitem__(self, ts: int) -> None:
        """Drop the bin at *ts*; raises KeyError."""
        for key in list(self._bin(ts).keys()):
            self._bins.remove(key)

    def __contains__(self, ts: object) -> bool:
        return isinstance(ts, int) and next(self._positions(ts), None) == ts

    def _bin(self, ts: int) -> SortedBin:
        if ts not in self:
            raise KeyError(ts)
        return SortedBin(self._bins, ts)

    def _positions(self, newest: int | None = None, oldest: int | None = None) -> Iterator[int]:
        start = () if newest is None else (-newest,)
        while True:
            try:
                position = -self._bins.minKey(start)[0]
            except ValueError:
                return
            if oldest is not None and position < oldest:
                return
            yield position
            start = (1 - position,)
