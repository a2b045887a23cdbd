"""Holds: what of the history is still needed, and so must not be packed away yet."""

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
    """Somebody's need of the database as it was after transaction *tid*; *until* is Unix time."""

    tid: int
    until: float


class PackHolds(Persistent):
    """The holds that are in force, by name.

    Conflict behaviour: written now and then; two at once conflict, and one is repeated.
    """

    def __init__(self) -> None:
        self._holds = PersistentMapping()

    def put(self, name: str, tid: int, seconds: float) -> None:
        """Hold back packing behind transaction *tid* for so many *seconds* at the most."""
        self._holds[name] = PackHold(tid, nowutc().timestamp() + seconds)

    def release(self, name: str) -> None:
        """Let the hold *name* go; nothing happens if there is none."""
        self._holds.pop(name, None)

    def limit(self) -> float | None:
        """Return up to when (Unix seconds) the history may be packed; None for any time."""
        now = nowutc().timestamp()
        tids = [hold.tid for hold in self._holds.values() if hold.until > now]
        return float(TimeStamp(p64(min(tids))).timeTime()) if tids else None


BRANCH = Schema("holds", 1, PackHolds)


def holds_of(connection: Connection) -> PackHolds:
    """Return the holds on the database that *connection* is to."""
    return BRANCH.get(connection)
