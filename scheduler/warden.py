"""The warden: it ends a stopped leader that everybody else waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.owner import Owner

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
STUCK_SECONDS = 1.0


class Warden:
    """Watches, in a thread of its own, how long a call to the database takes.

    A process that was stopped (SIGSTOP) in the middle of a commit, or that serves the embedded
    database, lets all others wait for ever. If that is the leader and it is one of this machine,
    it is killed: what it had committed stays, and what it had not is done by its successor.
    """

    def __init__(self) -> None:
        self.leader: Owner | None = None
        """The process that leads, as far as known."""
        self._asked: float | None = None
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
        self._asked = time.monotonic()
        try:
            yield
        finally:
            self._asked = None

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            asked, leader = self._asked, self.leader
            is_stuck = asked is not None and time.monotonic() - asked > STUCK_SECONDS
            if is_stuck and leader is not None and leader.is_stopped():
                log.warning(
                    "the leader, pid %d, is stopped and in the way: it is killed", leader.pid
                )
                leader.kill()
