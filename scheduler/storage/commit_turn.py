"""The commit turn: of all threads and processes that have a file open, one commits at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ZODB.utils import p64, u64

from scheduler.storage.private_files import opener
from scheduler.storage.process_identity import ProcessIdentity

log = logging.getLogger(__name__)

# Object ids that a process sets aside at a time.
OIDS = 1000
# Seconds after which one that waits looks whether the process that has the turn is stopped.
STUCK_SECONDS = 1.0
LOOK_SECONDS = 0.5
# Seconds without waiting after which there is nobody to look.
CALM_SECONDS = 10.0


class CommitTurn:
    """The right to append to the data file, taken by an advisory lock on a file beside it.

    The kernel gives the lock back when its holder dies. The file has the next free object id,
    which changes only in a turn.
    """

    def __init__(self, path: str, on_taken: Callable[[], Any]) -> None:
        self._on_taken = on_taken
        self._file = open(path, "r+b", buffering=0, opener=opener)  # noqa: SIM115 (see close)
        self._threads = threading.RLock()
        self._depth = 0
        self._watch = TurnWatch(Path(path))

    def acquire(self) -> None:
        """Take the turn, and see what others have committed; waits for it."""
        self._threads.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        try:
            self._lock()
            self._on_taken()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the turn back."""
        self._depth -= 1
        if self._depth == 0 and not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    __enter__ = acquire

    def __exit__(self, *error: object) -> None:
        self.release()

    def reserve(self, least: int) -> range:
        """Set aside object ids, none under *least*; to be called in a turn."""
        noted = os.pread(self._file.fileno(), 8, 0)
        first = max(least, u64(noted) if len(noted) == 8 else 0)
        os.pwrite(self._file.fileno(), p64(first + OIDS), 0)
        return range(first, first + OIDS)

    def fileno(self) -> int:
        """Return the descriptor of the lock."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file, which gives back a turn that is held."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._watch.begin()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._watch.end()


class TurnWatch:
    """Kills a process of this machine that is stopped (SIGSTOP) while it has the turn.

    It would hold up all others for as long as it is stopped. The part of its commit that is in
    the file is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since: float | None = None
        self._last = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Note that a thread waits for the turn."""
        self._since = self._last = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, name="turn watch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Note that it has the turn."""
        self._since = None

    def _look(self) -> None:
        while time.monotonic() - self._last < CALM_SECONDS or self._since is not None:
            since = self._since
            if since is not None and time.monotonic() - since > STUCK_SECONDS:
                self._kill_if_stopped(ProcessIdentity.holding(self._path))
            time.sleep(LOOK_SECONDS)

    def _kill_if_stopped(self, holder: ProcessIdentity | None) -> None:
        if holder is not None and holder.is_stopped():
            log.warning("process %d killed: it is stopped in a commit", holder.pid)
            holder.kill()
