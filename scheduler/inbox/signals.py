"""The signals: which tasks wait for which one, and those that came before anybody waited."""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any

from BTrees.LOBTree import LOBTree
from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.store import Schema

log = logging.getLogger(__name__)

KEPT_SECONDS = 30 * 86400.0
KEPT = 10_000
NAME_LENGTH = 200


class Signals(Persistent):
    """The waiting tasks by the names of signals, and the signals that no task has taken yet.

    The newest 10,000 of the latter are kept, for 30 days, and each is for one task.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._waiting = OOTreeSet()  # (name, number of the task)
        self._names = LOBTree()  # number of the task -> name
        self._kept = OOBTree()  # (name, number of the signal) -> (since 1970, payload)
        self._order = LOBTree()  # number of the signal -> (name, since 1970)

    def wait(self, tid: int, name: str) -> None:
        """Note that task *tid* waits for *name*."""
        self.leave(tid)
        self._names[tid] = name
        self._waiting.insert((name, tid))

    def leave(self, tid: int) -> None:
        """Note that task *tid* waits for nothing."""
        name = self._names.get(tid)
        if name is not None:
            del self._names[tid]
            self._waiting.remove((name, tid))

    def name(self, tid: int) -> str | None:
        """Return the signal that task *tid* waits for; None where it waits for none."""
        found: str | None = self._names.get(tid)
        return found

    def waiting(self, name: str, limit: int) -> list[int]:
        """Return the numbers of the tasks that wait for *name*, at most *limit*."""
        return [tid for _, tid in islice(self._waiting.keys(*_range(name)), limit)]

    def keep(self, name: str, payload: Any, now: float) -> None:
        """Keep a signal for the first task that will wait for it; the oldest may have to go."""
        number = self._order.maxKey() + 1 if self._order else 1
        self._order[number] = (name, now)
        self._kept[name, number] = (now, payload)
        count = len(self._kept) if number % 100 == 0 else 0  # it is counted now and then
        dropped = 0
        while self._order and (count - dropped > KEPT or self._is_old(self._order.minKey(), now)):
            self._drop(self._order.minKey())
            dropped += 1
        if dropped:
            log.warning("%d signals are dropped that no task has waited for", dropped)

    def take(self, name: str, now: float) -> tuple[Any] | None:
        """Take the oldest kept signal *name* and return its payload, in a tuple; None without."""
        for key in list(self._kept.keys(*_range(name))):
            payload = self._kept[key][1]
            is_old = self._is_old(key[1], now)
            self._drop(key[1])
            if not is_old:
                return (payload,)
        return None

    def _is_old(self, number: int, now: float) -> bool:
        return bool(self._order[number][1] < now - KEPT_SECONDS)

    def _drop(self, number: int) -> None:
        name, _ = self._order.pop(number)
        del self._kept[name, number]


def _range(name: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (name, 0), (name, 2**63)


def checked_name(name: str) -> str:
    """Return the *name* of a signal; TypeError or ValueError for what is none."""
    if not isinstance(name, str):
        raise TypeError(f"the signal is {name!r}; its name must be a text")
    if not 0 < len(name) <= NAME_LENGTH:
        raise ValueError(f"the name of a signal has from 1 to {NAME_LENGTH} letters, not {name!r}")
    return name


SCHEMA = Schema("signals", 1, Signals)


def signals_of(connection: Connection) -> Signals:
    """Return the signals in the database of *connection*; made on their first use."""
    return SCHEMA.get(connection)


def known_signals(connection: Connection) -> Signals:
    """Return the signals in the database of *connection*, empty ones where there are none."""
    return SCHEMA.get(connection) if SCHEMA.exists(connection) else Signals()
