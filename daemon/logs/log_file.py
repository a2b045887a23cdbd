"""The log file: closed to others, of limited size, and without thousands of equal lines."""

from __future__ import annotations

import glob
import logging
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NamedTuple

from scheduler.storage.private_files import close_to_others, opener, own_folder

MEGABYTE = 1_000_000
# The number of equal warnings that are written; after them the 10th, the 100th and so on are.
PLENTY = 5
# A warning that was not repeated for this many seconds counts as new.
FORGOTTEN_SECONDS = 600.0
KINDS_KEPT = 1000


class PrivateLog(RotatingFileHandler):
    """A file that is closed to others, like the folder where that is made.

    A new file begins at *size* MB; *kept* older ones stay beside it.
    """

    def __init__(self, file: str, size: float, kept: int) -> None:
        place = Path(file).absolute()
        own_folder(place.parent, place.name)
        for each in place.parent.glob(f"{glob.escape(place.name)}*"):
            close_to_others(each)
        super().__init__(file, maxBytes=int(size * MEGABYTE), backupCount=kept, encoding="utf-8")

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=opener)


class _RepeatCount(NamedTuple):
    number: int
    last: float


class Repeats(logging.Filter):
    """A filter that passes repeated warnings and errors ever more seldom, with their count."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], _RepeatCount] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* is written; add its count if it was repeated often."""
        if record.levelno < logging.WARNING:
            return True
        number = self._count(record)
        if number <= PLENTY:
            return True
        if str(number).strip("0") != "1":
            return False
        record.msg, record.args = f"{record.getMessage()} ({number} times)", None
        return True

    def _count(self, record: logging.LogRecord) -> int:
        problem = repr(record.exc_info[1]) if record.exc_info else ""
        key = (record.name, record.getMessage(), problem)
        now = time.monotonic()
        with self._lock:
            before = self._counts.pop(key, _RepeatCount(0, now))
            is_new = now - before.last > FORGOTTEN_SECONDS
            number = 1 if is_new else before.number + 1
            self._counts[key] = _RepeatCount(number, now)  # the last one, now, of the dict
            if len(self._counts) > KINDS_KEPT:
                del self._counts[next(iter(self._counts))]
        return number
