"""The commit signal: wakes up a thread when another connection or process commits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import Any

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.mvccadapter import MVCCAdapter

from scheduler.storage.embedded_file import EmbeddedStorage
from scheduler.storage.internals import (
    join_readers,
    leave_readers,
    shared_storage,
    snapshot_storage,
)
from scheduler.storage.postgres_notifications import announcements_of

OWN_KEPT = 1000
NOTED_KEPT = 1000


class CommitSignal:
    """An event that each commit to *database* sets, in this or another process.

    It is pushed where ZODB passes invalidations (ZEO), where the system tells of writes to the
    file of an embedded database, and where PostgreSQL announces transactions. Other databases of
    RelStorage are polled every 50 ms.
    """

    def __init__(self, database: DB) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._is_set = False
        self._noted: set[bytes] = set()
        self._own: deque[bytes] = deque(maxlen=OWN_KEPT)
        self._ignored: list[Any] = []
        self._readers = shared_storage(database)
        self._announcements: Any = None
        if isinstance(database.storage, EmbeddedStorage):
            database.storage.watch()
        if isinstance(self._readers, MVCCAdapter):
            join_readers(self._readers, self)
        else:
            self._announcements = announcements_of(self._readers, self._note, self.set)

    def ignore(self, connection: Connection) -> None:
        """Ignore the commits of *connection*, which only the caller uses until `close`."""
        storage = snapshot_storage(connection)
        finish = storage.tpc_finish

        def tpc_finish(*args: Any) -> bytes:
            tid: bytes = finish(*args)
            with self._lock:
                self._own.append(tid)
                self._noted.discard(tid)
            return tid

        storage.tpc_finish = tpc_finish
        self._ignored.append(storage)

    def notice(self, connection: Connection) -> None:
        """Hear the commits of *connection* again, which was ignored."""
        storage = snapshot_storage(connection)
        del storage.tpc_finish
        self._ignored = [each for each in self._ignored if each is not storage]

    def wait(self, seconds: float) -> bool:
        """Wait for a commit or a call of `set` for *seconds*; return whether one came."""
        deadline = monotonic() + seconds
        while True:
            happened = self._event.wait(max(0.0, deadline - monotonic()))
            with self._lock:
                self._event.clear()
                is_new = self._is_set or bool(self._noted)
                self._is_set = False
                self._noted.clear()
            # A commit by the waiting thread may have set the event.
            if is_new or not happened:
                return is_new

    def set(self) -> None:
        """Wake up the waiting threads."""
        self._is_set = True
        self._event.set()

    def close(self) -> None:
        """Stop listening."""
        for storage in self._ignored:
            del storage.tpc_finish
        if self._announcements is not None:
            self._announcements.close()
        else:
            leave_readers(self._readers, self)

    def _note(self, tid: bytes) -> None:
        with self._lock:
            if tid not in self._own:
                if len(self._noted) < NOTED_KEPT:  # one is enough to wake up
                    self._noted.add(tid)
                self._event.set()

    def _invalidate(self, tid: bytes, oids: Iterable[bytes]) -> None:
        # Called inside a commit, under the storage's lock.
        self._note(tid)

    def _invalidateCache(self) -> Any:  # noqa: N802 (the reader's interface)
        self.set()
