"""Health: whether the daemon can do its work now, answered within two seconds."""

from __future__ import annotations

import logging
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ZEO.Exceptions import ClientDisconnected

from scheduler import SchedulerModule
from scheduler.store import Database
from scheduler.store.database_uri import file_of
from scheduler.store.read_view import read_view

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
# Bytes free on the disk (2 % of a small disk) below which the embedded database counts as full.
LEAST_ROOM = 4 * 2**20


class Health:
    """The check of what the daemon needs; *complaint* returns the fault of the scheduler.

    The check writes nothing. A database that does not answer is waited for two seconds, by one
    thread for all who ask.
    """

    def __init__(self, database: Database, complaint: Callable[[], str]) -> None:
        self._database = database
        self._complaint = complaint
        self._lock = threading.Lock()
        self._probe: _Probe | None = None

    def fault(self) -> str:
        """Return the fault of the daemon; empty if it is healthy."""
        return self._complaint() or self.database_fault() or self._fault_of_disk()

    def database_fault(self) -> str:
        """Return why the database cannot be read now; empty if it can."""
        with self._lock:
            if self._probe is None or self._probe.is_over():
                self._probe = _Probe(self._ask)
            probe = self._probe
        return probe.fault()

    def _ask(self) -> None:
        storage = self._database.storage
        # Calls to a disconnected storage wait until its server is back.
        if not getattr(storage, "is_connected", lambda: True)():
            raise ClientDisconnected("there is no connection to its server")
        # The reads below may all be served from the cache, whether or not the server answers.
        getattr(storage, "ping", lambda: None)()
        with read_view(self._database) as connection:
            SchedulerModule.getDBInstance(connection).getStatus()

    def _fault_of_disk(self) -> str:
        file = file_of(self._database.uri)
        if file is None or not file.exists():
            return ""
        disk = os.statvfs(file.parent)
        if disk.f_flag & os.ST_RDONLY or not os.access(file, os.W_OK):
            return f"the database cannot write: {file} is read-only"
        room = min(disk.f_bavail * disk.f_frsize, _allowed(file))
        if room < min(LEAST_ROOM, disk.f_blocks * disk.f_frsize // 50):
            return f"the database cannot write: there is room for {room} bytes on its disk"
        return ""


class _Probe:
    """One question to the database, asked in a thread of its own."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._began = time.monotonic()
        self._over = threading.Event()
        self._fault = ""
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def is_over(self) -> bool:
        """Return whether the answer has come."""
        return self._over.is_set()

    def fault(self) -> str:
        """Return the fault; wait for it until two seconds after the question."""
        if self._over.wait(max(0.0, self._began + ANSWER_SECONDS - time.monotonic())):
            return self._fault
        waited = time.monotonic() - self._began
        return f"the database has not answered for {waited:.0f} s"

    def _run(self) -> None:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            log.info("the database does not answer: %s", error)
            self._fault = f"the database does not answer: {type(error).__name__}"
        finally:
            self._over.set()


def _allowed(file: Path) -> float:
    """Return how many bytes this process may still add to *file*."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return float("inf") if limit == resource.RLIM_INFINITY else limit - file.stat().st_size
