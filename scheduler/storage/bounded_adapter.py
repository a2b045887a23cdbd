"""The adapter of ZODB by which connections have snapshots, with a bound for idle connections.

An idle connection of the pool keeps the ids of all objects that are changed, until it is used
again: with a thousand tasks a second, gigabytes a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ZODB.mvccadapter import MVCCAdapter, MVCCAdapterInstance

# The most ids that a connection keeps, some 5 MB; over that, it drops its cache at its next use.
MOST_CHANGED = 50_000


class BoundedInstance(MVCCAdapterInstance):
    """The snapshots of one connection."""

    def _invalidate(self, tid: bytes, oids: Iterable[bytes]) -> None:
        super()._invalidate(tid, oids)
        changed = self._invalidations
        if changed is not None and len(changed) > MOST_CHANGED:
            self._invalidateCache()


class BoundedAdapter(MVCCAdapter):
    """The adapter of one storage."""

    def new_instance(self) -> BoundedInstance:
        """Return the snapshots of another connection."""
        instance = BoundedInstance(self)
        with self._lock:
            self._instances.add(instance)
        return instance


def bound(adapter: Any) -> None:
    """Bound what the connections of *adapter* keep, if it is one of ZODB's own."""
    if type(adapter) is not MVCCAdapter:
        return
    adapter.__class__ = BoundedAdapter
    with adapter._lock:
        for instance in adapter._instances:
            if type(instance) is MVCCAdapterInstance:
                instance.__class__ = BoundedInstance
