"""The outage log: an outage is logged when it begins and when it ends, not at each error."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

from scheduler.storage.outage import is_away, is_outage, outage_text

log = logging.getLogger(__name__)

_OUTSPOKEN = ("ZEO.", "relstorage", "asyncio", "txn.")
_OF_EACH_CONNECTION = ("Disconnected", "Reconnect", "Unable to connect")
# Seconds after its end within which an outage that begins again is the same one: some connections
# notice late.
SETTLING_SECONDS = 3.0
# Seconds after its last error for which a thread is counted among those in the outage.
FORGOTTEN_SECONDS = 90.0


class Outage:
    """One kind of outage, which any thread may meet, repeatedly until it ends.

    *over* is the text logged at its end, *fault* the text before the error at its beginning;
    without it the error is an outage of the database, which has its own description.
    """

    def __init__(self, over: str, fault: str = "") -> None:
        self._over = over
        self._fault = fault
        self._lock = threading.Lock()
        self._met: dict[Any, float] = {}  # who has met it -> when last
        self._began: float | None = None
        self._ended = -SETTLING_SECONDS

    def met(self, error: BaseException, who: Any = None) -> None:
        """Log *error* if the outage begins with it; *who* is by default the thread."""
        now = time.monotonic()
        with self._lock:
            if not self._is_awaited(now):
                self._began = None  # no thread is left that would log its end
            self._met[who or threading.current_thread()] = now
            if self._began is not None or now - self._ended < SETTLING_SECONDS:
                return
            self._began = now
        what = f"{self._fault}: {error}" if self._fault else outage_text(error)
        log.warning("%s; retrying until the outage ends", what)

    def over(self, who: Any = None) -> None:
        """Log the end of the outage, if it has ended for all threads that met it."""
        if not self._met:
            return
        now = time.monotonic()
        with self._lock:
            self._met.pop(who or threading.current_thread(), None)
            if self._is_awaited(now):
                return
            self._met.clear()
            began, self._began = self._began, None
            if began is None:
                return
            self._ended = now
        log.warning("%s after %.1f s", self._over, now - began)

    def _is_awaited(self, now: float) -> bool:
        return any(
            now - met < FORGOTTEN_SECONDS
            and (not isinstance(who, threading.Thread) or who.is_alive())
            for who, met in self._met.items()
        )


_AWAY = Outage("the database is there again")
_REFUSES = Outage("the database can be written again")


def is_not_outage(record: logging.LogRecord) -> bool:
    """Return whether *record* says more than the outage log does.

    ZEO and RelStorage log an outage at each error, with tracebacks, ZEO's loop each call that
    it has cut off, and `transaction` each commit of which the outcome is unknown.
    """
    if not record.name.startswith(_OUTSPOKEN):
        return True
    error = record.exc_info[1] if record.exc_info else sys.exception()
    of_outage = error is not None and is_outage(error)
    return not of_outage and not str(record.msg).startswith(_OF_EACH_CONNECTION)


def leave_to_others() -> None:
    """Leave outages to the log of the parent process, which meets the same ones."""
    log.setLevel(logging.ERROR)


def met(error: BaseException) -> None:
    """Log *error*, an outage of the database, if it begins with it."""
    (_AWAY if is_away(error) else _REFUSES).met(error)


def reached() -> None:
    """Note that the database answers this thread."""
    _AWAY.over()


def written() -> None:
    """Note that this thread has committed something."""
    _AWAY.over()
    _REFUSES.over()
