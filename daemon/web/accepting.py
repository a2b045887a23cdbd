"""The door of the front end: where a connection cannot be accepted, it is shut for a moment."""

from __future__ import annotations

import time
from typing import Any

from scheduler.storage.outage import is_outage
from scheduler.storage.outage_log import Outage

SHUT_SECONDS = 1.0

_NO_FILES = Outage("connections are accepted again", "no connection can be accepted")


class Door:
    """Stands before the method of *listening*, a waitress server, that accepts connections.

    One that waits stays readable: without a pause, a process that has no file descriptors left
    would try it for ever, thousands of times a second.
    """

    def __init__(self, listening: Any) -> None:
        self._accept, self._readable = listening.accept, listening.readable
        self._shut_until = 0.0
        listening.accept, listening.readable = self.accept, self.readable

    def accept(self) -> Any:
        """Return the next connection; None where there is none, or none can be had."""
        try:
            accepted = self._accept()
        except OSError as error:
            if not is_outage(error):
                raise
            self._shut_until = time.monotonic() + SHUT_SECONDS
            _NO_FILES.met(error)
            return None
        _NO_FILES.over()
        return accepted

    def readable(self) -> bool:
        """Say whether connections are to be accepted now."""
        return time.monotonic() >= self._shut_until and bool(self._readable())
