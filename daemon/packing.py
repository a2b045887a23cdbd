"""Packing: what is old in the history of the database is dropped from time to time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection

from daemon.config import Pack
from scheduler.clock import nowutc
from scheduler.store import Schema, transact
from scheduler.store.pack_hold import holds_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 3600.0


class PackingRecord(Persistent):
    """When the database was packed last, or first asked for it; written by the daemon alone."""

    def __init__(self) -> None:
        self.last = nowutc().timestamp()


SCHEMA = Schema("packing", 1, PackingRecord)


class Packing:
    """Packs *database* as often as *settings* say, in a thread of its own, from `start` on.

    Of several daemons one is to do it: that which *is_in_charge* says yes for. A database that
    cannot be packed is logged, and tried again the next time. Closing waits for the packing that
    goes on.
    """

    def __init__(self, database: DB, settings: Pack, is_in_charge: Callable[[], bool]) -> None:
        self._database = database
        self._settings = settings
        self._is_in_charge = is_in_charge
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packing", daemon=True)

    def start(self) -> None:
        """Begin to watch out for when it is time."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause()):
            if self._is_in_charge() and self._is_due():
                self._pack()

    def _pause(self) -> float:
        return min(LOOK_SECONDS, self._settings.every)

    def _is_due(self) -> bool:
        try:
            last = transact(self._database, lambda own: SCHEMA.get(own).last)
        except Exception:
            log.exception("whether the database is to be packed cannot be told")
            return False
        return nowutc().timestamp() - last >= self._settings.every

    def _limit(self) -> float:
        """Return up to when (Unix seconds) the history is dropped: what is held is left."""
        wanted = time.time() - self._settings.keep_history
        held = transact(self._database, _held)
        return wanted if held is None else min(wanted, held)

    def _pack(self) -> None:
        began, size = time.monotonic(), self._database.getSize()
        log.info("packing the database: it has %d bytes", size)
        try:
            self._database.pack(self._limit())
            transact(self._database, _note, note="daemon: packed")
        except Exception:
            log.exception("the database could not be packed")
            return
        seconds, size = time.monotonic() - began, self._database.getSize()
        log.info("the database is packed, in %.1f s: it has %d bytes", seconds, size)


def _held(connection: Connection) -> float | None:
    return holds_of(connection).limit()


def _note(connection: Connection) -> None:
    SCHEMA.get(connection).last = nowutc().timestamp()
