"""Fights: which tasks conflicted over which objects of late, and which keep to one lane for it.

Tasks that want to change the same object at the same time do each other's work to naught. When
that happens often, their classes are put into one lane for a while: one runs after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.POSException import ConflictError

# What is older is forgotten, and so is what was fought over the longest ago, beyond so many.
KEPT_SECONDS = 86400.0
KEPT = 100
# So many conflicts over one object within so many seconds open a lane, for so long.
LANE_AFTER = 20
BURST_SECONDS = 10.0
LANE_SECONDS = 60.0


class ConflictReport(NamedTuple):
    """An object that a run could not be committed for, and how often."""

    oid: bytes
    class_name: str
    times: int

    @classmethod
    def over(
        cls, error: BaseException, before: ConflictReport | None = None
    ) -> ConflictReport | None:
        """Return what *error* says of the object, with the fights *before*, if over the same."""
        if not isinstance(error, ConflictError) or error.oid is None:
            return before
        times = before.times if before is not None and before.oid == error.oid else 0
        return cls(error.oid, error.class_name or "", times + 1)


class ConflictEntry(NamedTuple):
    """What is known of one object: its class, who fought, how often, and when last.

    *burst* is how often within a few seconds, from *since* on.
    """

    class_name: str
    kinds: tuple[str, ...]
    times: int
    last: float
    burst: int = 0
    since: float = 0.0


class ConflictStats(Persistent):
    """The objects that tasks fought over within a day; written by the scheduler alone."""

    def __init__(self) -> None:
        self._fights = OOBTree()  # object id -> Fight
        self._lanes = OOBTree()  # class of tasks -> (object id, until when)

    def note(self, kind: str, fought: ConflictReport, now: float) -> None:
        """Note that a task of class *kind* has fought, at *now* (since 1970)."""
        old = ConflictEntry(*self._fights.get(fought.oid, (fought.class_name, (), 0, now)))
        name = fought.class_name or old.class_name
        kinds = tuple(sorted({*old.kinds, kind}))
        burst, since = old.burst, old.since
        if now - since > BURST_SECONDS:
            burst, since = 0, now
        fight = ConflictEntry(
            name, kinds, old.times + fought.times, now, burst + fought.times, since
        )
        self._fights[fought.oid] = tuple(fight)
        if fight.burst >= LANE_AFTER:
            self._lanes.update(dict.fromkeys(kinds, (fought.oid, now + LANE_SECONDS)))
        self._forget(now)

    def has_lanes(self) -> bool:
        """Say whether there may be a lane for anybody."""
        return bool(self._lanes)

    def lane_of(self, kind: str, now: float) -> str | None:
        """Return the key of the lane of tasks of class *kind*; None where they have none."""
        oid, until = self._lanes.get(kind, (b"", 0.0))
        return f"object {oid.hex()}" if now < until else None

    def lanes(self, now: float) -> dict[str, bytes]:
        """Return the classes that keep to a lane, each with the id of its object."""
        return {kind: oid for kind, (oid, until) in self._lanes.items() if now < until}

    def newest(self) -> list[tuple[bytes, ConflictEntry]]:
        """Return the objects by their ids, that which was fought over last first."""
        found = [(oid, ConflictEntry(*stored)) for oid, stored in self._fights.items()]
        return sorted(found, key=lambda item: -item[1].last)

    def _forget(self, now: float) -> None:
        for number, (oid, fight) in enumerate(self.newest()):
            if number >= KEPT or now - fight.last > KEPT_SECONDS:
                del self._fights[oid]
        for kind in [kind for kind, (_, until) in self._lanes.items() if until < now]:
            del self._lanes[kind]


def kind_of(task: Any) -> str:
    """Return the full name of the class of *task*, which is not loaded."""
    return f"{type(task).__module__}.{type(task).__qualname__}"
