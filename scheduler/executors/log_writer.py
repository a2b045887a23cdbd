"""The writer of what workers log: no worker waits for a log that is slow."""

from __future__ import annotations

import logging
import threading
from queue import Full, Queue

from scheduler.worker.log_forwarding import ForwardedLine

log = logging.getLogger(__name__)

# Lines that wait to be written; more are dropped, and counted.
LINES_WAITING = 20_000
CLOSE_SECONDS = 5.0


class LogWriter:
    """Writes what workers say into the log of this process, in a thread of its own."""

    def __init__(self) -> None:
        self._lines: Queue[ForwardedLine | None] = Queue(LINES_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="log of workers", daemon=True)
        self._thread.start()

    def write(self, said: ForwardedLine) -> None:
        """Write *said* soon; drop it if too much waits to be written."""
        try:
            self._lines.put_nowait(said)
        except Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for CLOSE_SECONDS if need be."""
        try:
            self._lines.put(None, timeout=CLOSE_SECONDS)
        except Full:
            log.warning("%d lines of workers are not written: the log is slow", LINES_WAITING)
            return
        self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while (said := self._lines.get()) is not None:
            try:
                said.log()
            except Exception:
                log.exception("a line of process %s cannot be written", said.fields.get("process"))
            self._log_dropped()

    def _log_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("%d lines of workers were dropped: the log is slow", dropped)
