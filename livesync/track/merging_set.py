"""A sorted tree of elements that merges what two transactions insert at once."""

from __future__ import annotations

from typing import Any

from BTrees.OOBTree import OOSet, OOTreeSet, difference, union

# The states that BTrees write: a bucket's is (keys,) or (keys, next bucket); that of a tree
# with one bucket holds the bucket's.
BucketState = tuple[Any, ...]


class MergingBucket(OOSet):
    """A leaf of a MergingTreeSet.

    Conflict behaviour: insertions merge, those of equal elements too; anything else is left
    to the rules of BTrees.
    """

    def _p_resolveConflict(  # noqa: N802 (ZODB's name)
        self, old: BucketState, committed: BucketState, new: BucketState
    ) -> Any:
        merged = _merge_insertions(old, committed, new)
        return merged or super()._p_resolveConflict(old, committed, new)


class MergingTreeSet(OOTreeSet):
    """An ordered set into which concurrent transactions may insert, even equal elements.

    Conflict behaviour: as its leaves; two transactions conflict when one of them splits a leaf
    that the other extends.
    """

    _bucket_type = MergingBucket
    max_leaf_size = 120

    def _p_resolveConflict(  # noqa: N802 (ZODB's name)
        self, old: Any, committed: Any, new: Any
    ) -> Any:
        leaves = [_only_leaf(state) for state in (old, committed, new)]
        if None not in leaves:
            merged = _merge_insertions(*leaves)  # type: ignore[arg-type]
            if merged is not None:
                return ((merged,),)
        return super()._p_resolveConflict(old, committed, new)


def _only_leaf(state: Any) -> BucketState | None:
    """Return the state of the one leaf that a small tree's state holds; None for a larger tree."""
    if state is None:
        return ((),)
    children = state[0]
    return children[0] if len(children) == 1 and isinstance(children[0], tuple) else None


def _behind(state: BucketState) -> list[Any]:
    """Return what tells which bucket comes next: references to two that differ do not compare."""
    return [getattr(following, "oid", following) for following in state[1:]]


def _merge_insertions(
    old: BucketState, committed: BucketState, new: BucketState
) -> BucketState | None:
    """Return the state that has the insertions of both; None if anybody did something else."""
    if any(_behind(after) != _behind(old) for after in (committed, new)):
        return None
    before, theirs, ours = (OOSet(state[0]) for state in (old, committed, new))
    if difference(before, theirs) or difference(before, ours):
        return None
    return (tuple(union(theirs, ours)), *old[1:])
