"""One bin of a set track: an ordered set that is a stretch of the tree of all bins."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from livesync.track.merging_set import MergingTreeSet

READ_AT_ONCE = 1000


class SortedBin(AbstractSet[Any]):
    """One bin of a SetMultiPointerTrack, seen as an ordered set."""

    def __init__(self, tree: MergingTreeSet, ts: int) -> None:
        self._tree = tree
        self._ts = ts

    def keys(self) -> Iterator[tuple[Any, ...]]:
        """Yield the tree's keys that make up this bin."""
        end = (1 - self._ts,)
        keys = self._tree.keys((-self._ts,), end, excludemax=True)
        # A piece at a time, so that what is added meanwhile does no harm.
        while piece := list(islice(keys, READ_AT_ONCE)):
            yield from piece
            keys = self._tree.keys(piece[-1], end, excludemin=True, excludemax=True)

    def __iter__(self) -> Iterator[Any]:
        return (key[1] for key in self.keys() if len(key) > 1)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, value: object) -> bool:
        return (-self._ts, value) in self._tree

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    @classmethod
    def _from_iterable(cls, elements: Any) -> set[Any]:
        return set(elements)
