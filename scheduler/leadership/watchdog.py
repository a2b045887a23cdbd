"""The watchdog: it kills a stopped process that blocks all others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.storage.process_identity import ProcessIdentity

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
STUCK_SECONDS = 1.0


class Watchdog:
    """Watches, in a thread of its own, how long calls to the database take.

    A leader that was stopped (SIGSTOP) during a commit blocks all others. If it runs on this
    machine, it is killed: its commits stay, and its successor does the rest.
    """

    def __init__(self) -> None:
        self.leader: ProcessIdentity | None = None
        """The process that leads, as far as known."""
        self._asked: dict[int, float] = {}  # by thread
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Watch the time that the block takes."""
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
            leader = self.leader
            if leader is not None and leader.is_stopped():
                log.warning("process %d killed: it is stopped and blocks the database", leader.pid)
                leader.kill()

    def _is_stuck(self) -> bool:
        now = time.monotonic()
        return any(now - asked > STUCK_SECONDS for asked in list(self._asked.values()))
