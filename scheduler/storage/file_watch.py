"""The watch of a file: a thread that tells when another process has written to it."""

from __future__ import annotations

import ctypes
import logging
import os
import select
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

MODIFIED, MOVED, DELETED = 0x2, 0x800, 0x400  # of <sys/inotify.h>
# Seconds after the first write until it is told: a commit writes twice.
SETTLE_SECONDS = 0.0003
# Seconds between two looks where the system does not tell of writes.
LOOK_SECONDS = 0.02


class FileWatch:
    """Calls *on_change* in a thread of its own each time that the file *path* was written to."""

    def __init__(self, path: str, on_change: Callable[[], object]) -> None:
        self._path = path
        self._on_change = on_change
        self._end, self._closing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._events = _inotify()
        if self._events < 0:
            log.info("writes to %s are looked for each %g s", path, LOOK_SECONDS)
        self._thread = threading.Thread(target=self._watch, name="file watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the watch."""
        os.write(self._closing, b".")
        self._thread.join()
        for descriptor in self.descriptors():
            os.close(descriptor)

    def descriptors(self) -> list[int]:
        """Return the descriptors of the watch."""
        return [each for each in (self._end, self._closing, self._events) if each >= 0]

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        if self._events >= 0:
            poll.register(self._events, select.POLLIN)
        while True:
            is_told = self._follow()
            self._look()
            ready = poll.poll(None if is_told else LOOK_SECONDS * 1000)
            if any(descriptor == self._end for descriptor, _ in ready):
                return
            if ready:
                time.sleep(SETTLE_SECONDS)
                os.read(self._events, 65536)

    def _follow(self) -> bool:
        """Have the system tell of writes to the file of that name, another one after a pack."""
        if self._events < 0:
            return False
        kinds = MODIFIED | MOVED | DELETED
        return int(_LIBC.inotify_add_watch(self._events, os.fsencode(self._path), kinds)) >= 0

    def _look(self) -> None:
        try:
            self._on_change()
        except Exception:
            log.exception("news in %s cannot be read", self._path)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _inotify() -> int:
    """Return a descriptor of inotify; -1 if the system has none."""
    begin = getattr(_LIBC, "inotify_init1", None)
    return -1 if begin is None else int(begin(os.O_CLOEXEC | os.O_NONBLOCK))
