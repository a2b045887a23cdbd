"""The heir: who joined an embedded database serves it on when its first owner has gone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import zc.lockfile
from ZEO.ClientStorage import ClientStorage

from scheduler.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
# So long does an heir wait for others: worker processes end with their scheduler within less.
PATIENCE_SECONDS = 0.5


class Closable(Protocol):
    """What has been inherited."""

    def close(self) -> None:
        """Stop serving it."""


class ServerFailover:
    """Watches the connection of *client* to the owner; when it is lost, takes the owner's place.

    *inherit* opens the file and serves it where the client looks for it, or raises LockError
    while somebody else has it. The client then joins the heir, as all others do.
    """

    def __init__(self, client: ClientStorage, inherit: Callable[[], Closable]) -> None:
        self._client = client
        self._inherit = inherit
        self._estate: Closable | None = None
        self._told = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="heir", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching, and serving."""
        self._closing.set()
        self._thread.join()
        if self._estate is not None:
            self._estate.close()

    def _watch(self) -> None:
        alone = 0.0
        while not self._closing.wait(LOOK_SECONDS):
            alone = 0.0 if self._client.is_connected() else alone + LOOK_SECONDS
            if alone >= PATIENCE_SECONDS and self._estate is None:
                self._take_over()

    def _take_over(self) -> None:
        try:
            self._estate = self._inherit()
        except zc.lockfile.LockError:
            log.debug("another process has the database's file")
        except DatabaseUnavailable as error:
            if str(error) != self._told:
                log.warning("the owner of the database has gone: %s", error)
            self._told = str(error)
        else:
            log.warning("the owner of the database has gone; this process serves it now")
