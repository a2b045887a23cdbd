"""The repeated calls: which task a call with an idempotency key has enqueued."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.store import Schema, connection_of

KEPT_SECONDS = 86400
DROPPED_AT_ONCE = 20


class RepeatedCalls(Persistent):
    """The tasks of calls by user and idempotency key, for a day.

    Conflict behaviour: calls with different keys merge; of two with one key one is repeated, and
    finds the other.
    """

    def __init__(self) -> None:
        self._calls = OOBTree()  # (user, key) -> (number of the task, digest of the call)
        self._dates = OOTreeSet()  # (seconds since 1970, user, key)

    def find(self, user: str, key: str) -> tuple[int, str] | None:
        """Return the task of the call of *user* with *key*, and the digest of that call."""
        found: tuple[int, str] | None = self._calls.get((user, key))
        return found

    def keep(self, user: str, key: str, task: int, digest: str, now: datetime) -> None:
        """Note that the call of *user* with *key* has enqueued *task*; forget calls of long ago."""
        second = int(now.timestamp())
        self._calls[user, key] = (task, digest)
        self._dates.insert((second, user, key))
        old = list(islice(self._dates.keys(max=(second - KEPT_SECONDS,)), DROPPED_AT_ONCE))
        for entry in old:
            self._dates.remove(entry)
            self._calls.pop(entry[1:], None)


SCHEMA = Schema("repeated_calls", 1, RepeatedCalls)


def repeated_calls(connection: Connection | None = None) -> RepeatedCalls:
    """Return the repeated calls in the database of *connection*, or of the current one."""
    return SCHEMA.get(connection_of(connection))
