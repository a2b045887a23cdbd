"""Packing: the old history of the database is dropped at intervals."""

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
    """The date of the last packing, or of the first look, and the size of the database then.

    Conflict behaviour: whoever packs writes it, and only one packs at a time.
    """

    size: int | None = None
    """In bytes; None before the first packing."""

    def __init__(self) -> None:
        self.last = nowutc().timestamp()


SCHEMA = Schema("packing", 1, PackingRecord)


class Packing:
    """A thread that packs *database* at the interval of *settings*, from `start` on.

    It packs only while *is_in_charge* returns true. A failure is logged, and the next look tries
    again. Closing waits for a packing under way.
    """

    def __init__(self, database: DB, settings: Pack, is_in_charge: Callable[[], bool]) -> None:
        self._database = database
        self._settings = settings
        self._is_in_charge = is_in_charge
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packing", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
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
            log.exception(
                "database %s: the date of the last packing cannot be read", self._database.getName()
            )
            return False
        return nowutc().timestamp() - last >= self._settings.every

    def _pack(self) -> None:
        began, size = time.monotonic(), self._database.getSize()
        log.info("database %s: packing began at %d bytes", self._database.getName(), size)
        try:
            pack(self._database, self._settings.keep_history)
        except Exception:
            log.exception("database %s: packing failed", self._database.getName())
            return
        seconds, size = time.monotonic() - began, self._database.getSize()
        log.info(
            "database %s: packed in %.1f s to %d bytes", self._database.getName(), seconds, size
        )


def pack(database: DB, keep_history: float) -> None:
    """Drop the history of *database* that is older than *keep_history* seconds, and note that.

    A pack hold keeps more. Raises what the storage raises, as where it is being packed already.
    """
    wanted = time.time() - keep_history
    held = transact(database, _held)
    database.pack(wanted if held is None else min(wanted, held))
    transact(database, _note, note="daemon: packed")


def _held(connection: Connection) -> float | None:
    return holds_of(connection).limit()


def _note(connection: Connection) -> None:
    record = SCHEMA.get(connection)
    record.last, record.size = nowutc().timestamp(), connection.db().getSize()
