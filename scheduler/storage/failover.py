"""Failover: a client of the embedded database takes over serving it when its server ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Protocol

import zc.lockfile
from ZEO.ClientStorage import ClientStorage

from scheduler.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
# Seconds without a server before a client takes over; worker processes end with their scheduler
# within less.
PATIENCE_SECONDS = 0.5


class Closable(Protocol):
    """A database that can be closed."""

    def close(self) -> None:
        """Close the database."""


class ServerFailover:
    """Watches the connection of *client* to its server; takes over serving when it is lost.

    *take_over* opens the file and serves it where the clients look for it, or raises LockError
    while another process holds it. *client* then joins the new server, as all clients do.
    """

    def __init__(self, client: ClientStorage, take_over: Callable[[], Closable]) -> None:
        self._client = client
        self._open = take_over
        self._served: Closable | None = None
        self._reason = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="failover", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching, and serving."""
        self._closing.set()
        self._thread.join()
        if self._served is not None:
            self._served.close()

    def _watch(self) -> None:
        alone = 0.0
        while not self._closing.wait(LOOK_SECONDS):
            alone = 0.0 if self._client.is_connected() else alone + LOOK_SECONDS
            if alone >= PATIENCE_SECONDS and self._served is None:
                self._take_over()

    def _take_over(self) -> None:
        try:
            self._served = self._open()
        except zc.lockfile.LockError:
            log.debug("process %d does not serve the database: another has its file", os.getpid())
        except DatabaseUnavailable as error:
            if str(error) != self._reason:
                log.warning("process %d cannot serve the database: %s", os.getpid(), error)
            self._reason = str(error)
        else:
            log.warning(
                "process %d serves the database: the process that served it has ended", os.getpid()
            )
