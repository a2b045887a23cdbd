"""The list of actions: who did what in the console, the last thousand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.clock import nowutc
from scheduler.store import Schema

KEPT = 1000
MICROSECONDS = 1_000_000
LONGEST = 500


class ActionEntry(NamedTuple):
    """One action: when it was done, the login of the user, its name, and what was done."""

    date: datetime
    user: str
    action: str
    text: str


class ActionList(Persistent):
    """The last actions by their times.

    Conflict behaviour: actions at the same time merge, now and then one of them is repeated.
    """

    def __init__(self) -> None:
        self._by_time = LOBTree()

    def note(self, user: str, action: str, text: str) -> None:
        """Note that *user* did *action*; the oldest entries make room."""
        key = int(nowutc().timestamp() * MICROSECONDS)
        while key in self._by_time:
            key += 1
        self._by_time[key] = (user, action, text[:LONGEST])
        while len(self._by_time) > KEPT:
            del self._by_time[self._by_time.minKey()]

    def newest(self) -> Iterator[ActionEntry]:
        """Yield the entries, newest first."""
        for key, entry in reversed(self._by_time.items()):
            yield ActionEntry(datetime.fromtimestamp(key / MICROSECONDS, UTC), *entry)


SCHEMA = Schema("actions", 1, ActionList)


def actions_of(connection: Connection) -> ActionList:
    """Return the list of actions of *connection*'s database."""
    return SCHEMA.get(connection)
