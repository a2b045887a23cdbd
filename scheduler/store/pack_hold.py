"""Pack holds: parts of the history that are still needed, and must not be packed yet."""

from __future__ import annotations

from typing import NamedTuple

from persistent import Persistent
from persistent.mapping import PersistentMapping
from persistent.TimeStamp import TimeStamp
from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.clock import nowutc
from scheduler.store.schema import Schema


class PackHold(NamedTuple):
    """The need of the history since transaction *tid*, *until* a time (Unix seconds)."""

    tid: int
    until: float


class PackHolds(Persistent):
    """The holds that are in force, by name.

    Conflict behaviour: written seldom; of two concurrent writers one repeats.
    """

    def __init__(self) -> None:
        self._holds = PersistentMapping()

    def put(self, name: str, tid: int, seconds: float) -> None:
        """Keep the history since transaction *tid* from packing for *seconds*."""
        self._holds[name] = PackHold(tid, nowutc().timestamp() + seconds)

    def release(self, name: str) -> None:
        """Remove the hold *name*, if it exists."""
        self._holds.pop(name, None)

    def limit(self) -> float | None:
        """Return up to when (Unix seconds) the history may be packed; None for any time."""
        now = nowutc().timestamp()
        tids = [hold.tid for hold in self._holds.values() if hold.until > now]
        return float(TimeStamp(p64(min(tids))).timeTime()) if tids else None


SCHEMA = Schema("holds", 1, PackHolds)


def holds_of(connection: Connection) -> PackHolds:
    """Return the pack holds of the database of *connection*."""
    return SCHEMA.get(connection)
