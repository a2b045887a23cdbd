"""Invalidations: the changed objects of the database, as this process hears of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ZODB import DB

from scheduler.storage.internals import shared_storage
from scheduler.store.overlay import last_seen


class Invalidations:
    """The oids that were changed since the last look, by any process."""

    def __init__(self, database: DB) -> None:
        self._database = database
        self._process = 0
        self._instance: Any = None

    def look(self) -> Iterable[bytes] | None:
        """Return the changed oids; None where it is not known which. Raises StorageError."""
        if self._process != os.getpid():  # the first look, or that of a forked process
            self._instance = shared_storage(self._database).new_instance()
            self._process = os.getpid()
            self._poll()
            return None
        return self._poll()

    def _poll(self) -> Iterable[bytes] | None:
        changed: Iterable[bytes] | None = self._instance.poll_invalidations()
        # A database server holds the snapshot of a transaction, until that is over.
        getattr(self._instance, "afterCompletion", int)()
        return changed

    @property
    def tid(self) -> int:
        """The number of the last transaction that was heard of, after a look."""
        return last_seen(self._instance)

    def close(self) -> None:
        """Hear of no more changes."""
        if self._process == os.getpid():
            self._instance.release()
        self._process, self._instance = 0, None
