"""The process: the one event that ends it, and where it logs."""

from __future__ import annotations

import glob
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any

from scheduler.legible import LineFormatter
from scheduler.private import close_to_others, opener, own_folder
from scheduler.stop import hearing_stop_signals
from scheduler.store.trouble import is_trouble

LOG_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
LOGS_KEPT = 14


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once.

    For the main thread.
    """
    stop = threading.Event()
    with hearing_stop_signals(lambda number, frame: stop.set()):
        yield stop


def wait_for(stop: threading.Event) -> None:
    """Wait until *stop* is set, in a way that lets signals be heard at once."""
    while not stop.wait(0.2):
        pass


def log_to(file: str | None, level: int) -> None:
    """Write what is logged from *level* on to *file*, a new one each day; to stderr for None."""
    handler = logging.StreamHandler() if file is None else PrivateLog(file)
    handler.setFormatter(LineFormatter(LOG_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    handler.addFilter(_is_news)
    for chatty in ("ZEO", "txn", "httpx"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    # A line for each request that waits for a thread would help whoever sends too many.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class PrivateLog(TimedRotatingFileHandler):
    """A file that is closed to others, like the folder where that is made; a new one each day."""

    def __init__(self, file: str) -> None:
        place = Path(file).absolute()
        own_folder(place.parent, place.name)
        for each in place.parent.glob(f"{glob.escape(place.name)}*"):
            close_to_others(each)
        super().__init__(file, when="midnight", backupCount=LOGS_KEPT, encoding="utf-8")

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=opener)


def _is_news(record: logging.LogRecord) -> bool:
    if not record.name.startswith("ZEO."):
        return True
    # A command that has joined the database and ends is not the error that ZEO takes it for;
    # of a full disk, whoever met it says so, in fewer words.
    is_end = record.name == "ZEO.asyncio.server" and str(record.msg).startswith("Disconnected")
    error = record.exc_info[1] if record.exc_info else None
    return not is_end and not (error is not None and is_trouble(error))
