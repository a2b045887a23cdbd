"""Rates of limit keys: when tasks with a key were started, and when the next ones may be."""

from __future__ import annotations

from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent

from scheduler.queue import MICROSECONDS, microseconds
from scheduler.values.rate_limit import Limit, Starts


class KeyRates(Persistent):
    """The starts of each limit key with a rate, and the keys whose tasks wait for the next one.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._starts = OOBTree()  # key -> (period, slots of its starts)
        self._waits = OOTreeSet()  # of (microseconds, key)

    def start(self, key: str, limit: Limit, now: float) -> bool:
        """Count a start of *key* at *now*, and return True; False where its rate allows none.

        Its tasks are to be looked at again then, see `due`.
        """
        starts = self._starts_of(key)
        if starts.allowed(limit, now) < 1:
            self.wait(key, limit, now)
            return False
        self._starts[key] = (limit.period, starts.add(limit, now, 1).slots)
        return True

    def allowed(self, key: str, limit: Limit, now: float) -> float:
        """Return how many tasks of *key* may be started at *now*."""
        return self._starts_of(key).allowed(limit, now)

    def wait(self, key: str, limit: Limit, now: float, planned: int = 0) -> None:
        """Make *key* due when its rate allows a start again, behind the *planned* ones."""
        starts = self._starts_of(key)
        if planned:
            starts = starts.add(limit, now, planned)
        self._waits.insert((microseconds(starts.wait(limit, now)), key))

    def due(self, now: float) -> list[str]:
        """Remove and return the keys whose rate allows a start again at *now*."""
        found = list(self._waits.keys(max=(microseconds(now) + 1,)))
        for entry in found:
            self._waits.remove(entry)
        return [key for _, key in found]

    def next_due(self) -> float | None:
        """Return when the next key is due; None where no key waits."""
        return self._waits.minKey()[0] / MICROSECONDS if self._waits else None

    def tend(self, now: float) -> None:
        """Forget the keys whose last start is longer ago than their period."""
        for key, (period, slots) in list(self._starts.items()):
            if Starts(slots).allowed(Limit(rate=1, period=period), now):
                del self._starts[key]

    def _starts_of(self, key: str) -> Starts:
        return Starts(self._starts.get(key, (0, ()))[1])
