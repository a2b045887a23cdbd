"""Conflict statistics: which tasks conflicted over which objects, and which are serialized.

Tasks that write the same object concurrently abort each other with ConflictErrors. If that
happens often, their classes are serialized for a while: their tasks run one after the other.
"""

from __future__ import annotations

from typing import NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent

# Seconds after its last conflict for which an object is kept, and the number of objects kept.
KEPT_SECONDS = 86400.0
KEPT = 100
# Conflicts over one object within a burst (seconds) that serialize the classes, and for how
# many seconds.
SERIALIZED_AFTER = 20
BURST_SECONDS = 10.0
SERIALIZED_SECONDS = 60.0


class ConflictEntry(NamedTuple):
    """The conflicts over one object: its class, the classes of tasks, the count, the last time.

    *burst* counts those within BURST_SECONDS from *since* on.
    """

    class_name: str
    kinds: tuple[str, ...]
    times: int
    last: float
    burst: int = 0
    since: float = 0.0


class ConflictStats(Persistent):
    """The objects over which tasks conflicted within a day.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._objects = OOBTree()  # object id -> ConflictEntry
        self._serialized = OOBTree()  # name of tasks -> (object id, until when)

    def note(self, kind: str, oid: bytes, class_name: str, times: int, now: float) -> None:
        """Add the conflicts over one object that a task of class *kind* had, at *now*.

        They are *times* conflicts over the object *oid* of class *class_name*; *now* is in Unix
        seconds.
        """
        old = ConflictEntry(*self._objects.get(oid, (class_name, (), 0, now)))
        name = class_name or old.class_name
        kinds = tuple(sorted({*old.kinds, kind}))
        burst, since = old.burst, old.since
        if now - since > BURST_SECONDS:
            burst, since = 0, now
        entry = ConflictEntry(name, kinds, old.times + times, now, burst + times, since)
        self._objects[oid] = tuple(entry)
        if entry.burst >= SERIALIZED_AFTER:
            self._serialized.update(dict.fromkeys(kinds, (oid, now + SERIALIZED_SECONDS)))
        self._forget(now)

    def has_serialized(self) -> bool:
        """Return whether a class of tasks may be serialized."""
        return bool(self._serialized)

    def serial_key(self, kind: str, now: float) -> str | None:
        """Return the key that serializes tasks of class *kind*; None if they are not."""
        oid, until = self._serialized.get(kind, (b"", 0.0))
        return f"object {oid.hex()}" if now < until else None

    def serialized(self, now: float) -> dict[str, bytes]:
        """Return the serialized classes, each with the id of its object."""
        return {kind: oid for kind, (oid, until) in self._serialized.items() if now < until}

    def newest(self) -> list[tuple[bytes, ConflictEntry]]:
        """Return the object ids with their entries, the latest conflict first."""
        found = [(oid, ConflictEntry(*stored)) for oid, stored in self._objects.items()]
        return sorted(found, key=lambda item: -item[1].last)

    def _forget(self, now: float) -> None:
        for number, (oid, entry) in enumerate(self.newest()):
            if number >= KEPT or now - entry.last > KEPT_SECONDS:
                del self._objects[oid]
        for kind in [kind for kind, (_, until) in self._serialized.items() if until < now]:
            del self._serialized[kind]
