"""The process: the one event that ends it, and where it logs."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path

from scheduler.store.trouble import is_trouble

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOG_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
LOGS_KEPT = 14


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; a second signal ends the process at once.

    For the main thread.
    """
    stop = threading.Event()

    def hear(number: int, frame: object) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        stop.set()

    before = {number: signal.signal(number, hear) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for(stop: threading.Event) -> None:
    """Wait until *stop* is set, in a way that lets signals be heard at once."""
    while not stop.wait(0.2):
        pass


def log_to(file: str | None, level: int) -> None:
    """Write what is logged from *level* on to *file*, a new one each day; to stderr for None."""
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler()
    else:
        Path(file).absolute().parent.mkdir(parents=True, exist_ok=True)
        handler = TimedRotatingFileHandler(
            file, when="midnight", backupCount=LOGS_KEPT, encoding="utf-8"
        )
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    handler.addFilter(_is_news)
    for chatty in ("ZEO", "txn", "httpx"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _is_news(record: logging.LogRecord) -> bool:
    if not record.name.startswith("ZEO."):
        return True
    # A command that has joined the database and ends is not the error that ZEO takes it for;
    # of a full disk, whoever met it says so, in fewer words.
    is_end = record.name == "ZEO.asyncio.server" and str(record.msg).startswith("Disconnected")
    error = record.exc_info[1] if record.exc_info else None
    return not is_end and not (error is not None and is_trouble(error))
