"""The overlay: a database over the snapshot of a connection, for dry runs.

Its changes are kept in memory until it is closed; the database below is only read, at the
snapshot of the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.DemoStorage import DemoStorage
from ZODB.interfaces import IBlobStorage
from ZODB.POSException import POSKeyError, ReadConflictError
from ZODB.utils import p64, u64
from zope.interface import alsoProvides

from scheduler.storage.internals import normal_storage, snapshot_storage


def snapshot_of(connection: Connection) -> int:
    """Return the number of the last transaction that *connection* sees."""
    return last_seen(normal_storage(connection))


def last_seen(storage: Any) -> int:
    """Return the number of the last transaction that a reader of the *storage* sees."""
    start = getattr(storage, "_start", None) or getattr(storage, "_before", None)
    return int(u64(start)) - 1 if start is not None else int(u64(storage.lastTransaction()))


@contextmanager
def overlay(connection: Connection) -> Iterator[DB]:
    """Give a database over the snapshot of *connection*, which must stay open."""
    storage = DemoStorage(base=_Snapshot(connection), close_base_on_close=False)
    database = DB(storage)
    try:
        yield database
    finally:
        database.close()


class _Snapshot:
    """The snapshot of a connection, as a read-only storage."""

    def __init__(self, connection: Connection) -> None:
        self._view = snapshot_storage(connection)
        self._last: bytes = p64(snapshot_of(connection))
        if IBlobStorage.providedBy(self._view):
            alsoProvides(self, IBlobStorage)

    def getName(self) -> str:
        return f"snapshot of {self._view.getName()}"

    def lastTransaction(self) -> bytes:  # noqa: N802 (the storage API's name)
        return self._last

    def load(self, oid: bytes, version: str = "") -> tuple[bytes, bytes]:
        try:
            loaded: tuple[bytes, bytes] = self._view.load(oid)
        except ReadConflictError:
            raise POSKeyError(oid) from None  # made later than what is seen
        return loaded

    def loadBefore(self, oid: bytes, tid: bytes) -> tuple[bytes, bytes, None]:  # noqa: N802 (API)
        return (*self.load(oid), None)

    def getTid(self, oid: bytes) -> bytes:
        return self.load(oid)[1]

    def loadBlob(self, oid: bytes, serial: bytes) -> Any:  # noqa: N802 (the storage API's name)
        return self._view.loadBlob(oid, serial)

    def openCommittedBlobFile(  # noqa: N802 (the storage API's name)
        self, oid: bytes, serial: bytes, blob: Any = None
    ) -> Any:
        return self._view.openCommittedBlobFile(oid, serial, blob)
