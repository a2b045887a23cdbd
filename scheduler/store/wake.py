"""Waking up when somebody commits, instead of looking every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ZODB import DB
from ZODB.mvccadapter import MVCCAdapter

from scheduler.store.trouble import is_trouble

POLL_INTERVAL = 0.05


class Wake:
    """An event that is set whenever another thread or process commits to *database*.

    Works by push wherever ZODB passes invalidations (direct, hub, ZEO). Where the storage
    keeps its readers' views itself (RelStorage) there is nobody to push: `wait` looks for
    new transactions every 50 ms.
    """

    def __init__(self, database: DB) -> None:
        self._event = threading.Event()
        self._thread: int | None = None
        self._readers = database._mvcc_storage
        self._poller: Any = None
        self._seen = b""
        if isinstance(self._readers, MVCCAdapter):
            with self._readers._lock:
                self._readers._instances.add(self)
        else:
            self._poller = self._readers.new_instance()
            self._seen = self._newest()

    def wait(self, seconds: float) -> bool:
        """Wait for a commit or a call of `set`, at the most *seconds*; say whether one came."""
        self._thread = threading.get_ident()
        happened = self._event.wait(seconds) if self._poller is None else self._poll(seconds)
        self._event.clear()
        return happened

    def set(self) -> None:
        """Wake up whoever waits."""
        self._event.set()

    def close(self) -> None:
        """Stop listening."""
        if self._poller is not None:
            self._poller.release()
        else:
            self._readers._release(self)

    def _poll(self, seconds: float) -> bool:
        while seconds > 0:
            if self._event.wait(min(POLL_INTERVAL, seconds)):
                return True
            newest, before = self._newest(), self._seen
            self._seen = newest
            if newest != before:
                return True
            seconds -= POLL_INTERVAL
        return False

    def _newest(self) -> bytes:
        try:
            self._poller.poll_invalidations()
            newest: bytes = self._poller.lastTransaction()
        except Exception as error:
            if not is_trouble(error):
                raise
            return self._seen  # of a database that is away nothing is heard
        return newest

    def _invalidate(self, tid: bytes, oids: Iterable[bytes]) -> None:
        # Called inside a commit, under the storage's lock; one's own commits are no news.
        if threading.get_ident() != self._thread:
            self._event.set()

    def _invalidateCache(self) -> Any:  # noqa: N802 (the reader's interface)
        self._event.set()
