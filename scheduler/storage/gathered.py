"""A gathered commit: what a transaction stores, until it takes the commit turn."""

from __future__ import annotations

# Bytes from which on a commit takes its turn at once, and holds it while it goes on storing.
FULL = 32 << 20


class Gathered:
    """The records that a transaction stores, and the serials on which it relies."""

    def __init__(self, tid: bytes | None, status: str) -> None:
        self.tid = tid
        self.status = status
        self.stored: list[tuple[bytes, bytes, bytes]] = []
        """Object id, serial of its former state, record."""
        self.checked: list[tuple[bytes, bytes]] = []
        """Object id, serial."""
        self._size = 0

    def store(self, oid: bytes, serial: bytes, data: bytes) -> None:
        """Add a record."""
        self.stored.append((oid, serial, data))
        self._size += len(data)

    def check(self, oid: bytes, serial: bytes) -> None:
        """Add an object that must have *serial* at the commit."""
        self.checked.append((oid, serial))

    @property
    def is_full(self) -> bool:
        """Return whether no more should be kept in memory."""
        return self._size > FULL
