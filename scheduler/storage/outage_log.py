"""Outages: what lasts is told when it begins and when it is over, and not each time it is met."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from scheduler.storage.outage import is_away, is_trouble, told

log = logging.getLogger(__name__)

_OF_EACH_CONNECTION = ("Disconnected", "Reconnect", "Unable to connect")
# One that begins again so soon is the same one: some connections find out late.
SETTLING_SECONDS = 3.0
# Who has met it, and has not been heard of for so long, waits for its end no more.
FORGOTTEN_SECONDS = 90.0


class Outage:
    """One kind of trouble, which any thread may meet, and does again until it is over.

    *over* is what is said at its end, *fault* what at its beginning stands before the error; none
    where the error is trouble with the database, which is told in its own words.
    """

    def __init__(self, over: str, fault: str = "") -> None:
        self._over = over
        self._fault = fault
        self._lock = threading.Lock()
        self._met: dict[Any, float] = {}  # who has met it -> when last
        self._began: float | None = None
        self._ended = -SETTLING_SECONDS

    def met(self, error: BaseException, who: Any = None) -> None:
        """Tell of *error*, if the outage begins with it; *who* met it is by default the thread."""
        now = time.monotonic()
        with self._lock:
            if not self._is_awaited(now):
                self._began = None  # nobody is left to tell of its end
            self._met[who or threading.current_thread()] = now
            if self._began is not None or now - self._ended < SETTLING_SECONDS:
                return
            self._began = now
        what = f"{self._fault}: {error}" if self._fault else told(error)
        log.warning("%s; it is tried again until that is over", what)

    def over(self, who: Any = None) -> None:
        """Tell that the outage is over, if it is for all who have met it."""
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


def is_news(record: logging.LogRecord) -> bool:
    """Say whether *record* tells anything, in the log of a process, that is not told here.

    Of an outage ZEO and RelStorage tell each time that they meet it, with tracebacks. And a
    command that has joined the database and ends is not the error that ZEO takes it for.
    """
    if not record.name.startswith(("ZEO.", "relstorage")):
        return True
    error = record.exc_info[1] if record.exc_info else None
    is_outage = error is not None and is_trouble(error)
    return not is_outage and not str(record.msg).startswith(_OF_EACH_CONNECTION)


def leave_to_others() -> None:
    """Let another process tell of outages: this one is beside it, and meets the same ones."""
    log.setLevel(logging.ERROR)


def met(error: BaseException) -> None:
    """Tell of *error*, trouble with the database, if an outage begins with it."""
    (_AWAY if is_away(error) else _REFUSES).met(error)


def reached() -> None:
    """Note that the database answers this thread."""
    _AWAY.over()


def written() -> None:
    """Note that this thread has committed something."""
    _AWAY.over()
    _REFUSES.over()
