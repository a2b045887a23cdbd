"""The capture alarm: the check of commits for escaped changes, while the daemon runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ZODB import DB

from livesync.capture.check import CaptureCheck
from livesync.objects.watched_classes import table_of
from scheduler.storage.outage import is_transient
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.read_view import read_view

log = logging.getLogger(__name__)

REST_SECONDS = 2.0
"""The pause after a check: commits in a short time are checked together."""

LONGEST_SLEEP = 3600.0


class CaptureAlarm:
    """A thread that checks what is committed to *database*, and logs what escapes.

    It checks only while *is_in_charge* returns true, and sleeps until something is committed.
    """

    def __init__(self, database: DB, is_in_charge: Callable[[], bool]) -> None:
        self._database = database
        self._is_in_charge = is_in_charge
        self._check = CaptureCheck(database)
        self._alerted_serial = 0
        self._stop = threading.Event()
        self._wake = CommitSignal(database)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._wake.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._is_in_charge():
                self._look()
            self._stop.wait(REST_SECONDS)
            self._wake.wait(LONGEST_SLEEP)

    def _look(self) -> None:
        try:
            self._tell_faults()
            self._check.alarm()
        except Exception as error:
            if is_transient(error):
                log.info("capture is checked later: %s", error)
            else:
                log.exception("capture in %s cannot be checked", self._database.getName())

    def _tell_faults(self) -> None:
        """Log what of the watched classes is not found here, when they have changed."""
        with read_view(self._database) as view:
            table = table_of(view)
        if table.serial != self._alerted_serial:
            self._alerted_serial = table.serial
            for fault in filter(None, (each.fault() for each in table.classes)):
                log.error("watched class: %s", fault)
