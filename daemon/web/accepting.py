"""The pause of the front end after a connection that could not be accepted."""

from __future__ import annotations

import time
from typing import Any

from scheduler.storage.outage import is_outage
from scheduler.storage.outage_log import Outage

PAUSE_SECONDS = 1.0

_NO_FILES = Outage("connections are accepted again", "no connection can be accepted")


class AcceptPause:
    """A wrapper of the methods by which *listening*, a waitress server, accepts connections.

    A waiting connection keeps the socket readable: without a pause, a process without free file
    descriptors would try to accept it thousands of times a second.
    """

    def __init__(self, listening: Any) -> None:
        self._accept, self._readable = listening.accept, listening.readable
        self._paused_until = 0.0
        listening.accept, listening.readable = self.accept, self.readable

    def accept(self) -> Any:
        """Return the next connection; None if none waits or none can be accepted."""
        try:
            accepted = self._accept()
        except OSError as error:
            if not is_outage(error):
                raise
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            _NO_FILES.met(error)
            return None
        _NO_FILES.over()
        return accepted

    def readable(self) -> bool:
        """Say whether connections are to be accepted now."""
        return time.monotonic() >= self._paused_until and bool(self._readable())
