"""The warden: it ends a stopped process that everybody else waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store import Database, holder_of, open_database

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
STUCK_SECONDS = 1.0


class Watchdog:
    """Watches, in a thread of its own, how long calls to the database that *uri* names take.

    A process that was stopped (SIGSTOP) in the middle of a commit, or that serves the embedded
    database, lets all others wait for ever. If that is the leader, or who has the database's
    file, and it is one of this machine, it is killed: what it had committed stays, and what it
    had not is done by its successor.
    """

    def __init__(self, uri: str | None) -> None:
        self.leader: ProcessIdentity | None = None
        """The process that leads, as far as known."""
        self._uri = uri
        self._asked: dict[int, float] = {}  # by thread
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="warden", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let the time be watched that the block takes."""
        thread = threading.get_ident()
        self._asked[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._asked[thread]

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            if not self._is_stuck():
                continue
            # The one that has the file may not be known to lead yet, and need not lead at all.
            for process in (self.leader, self._holder()):
                if process is not None and process.is_stopped():
                    log.warning("process %d is stopped and in the way: it is killed", process.pid)
                    process.kill()

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        return any(now - asked > STUCK_SECONDS for asked in list(self._asked.values()))

    def _holder(self) -> ProcessIdentity | None:
        return None if self._uri is None else holder_of(self._uri)


def open_watched(uri: str) -> Database:
    """Open the database that *uri* names for a scheduler; a stopped process that has it is killed.

    Raises DatabaseUnavailable.
    """
    with closing(Watchdog(uri)) as warden, warden.asking():
        return open_database(uri)
