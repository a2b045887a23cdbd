"""The process: the event that stops it, and its log."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.log_file import PrivateLog, Repeats
from scheduler.dispatch.shutdown import hearing_stop_signals
from scheduler.storage.outage_log import is_news
from scheduler.values.legible import LineFormatter

# Seconds between thread switches of a daemon, which serves the embedded database.
SWITCH_SECONDS = 0.0005
LOG_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once.

    For the main thread.
    """
    stop = threading.Event()
    with hearing_stop_signals(lambda number, frame: stop.set()):
        yield stop


def switch_threads_often() -> None:
    """Shorten the interval of this process's thread switches to SWITCH_SECONDS.

    A commit of another process needs several switches to the thread of the embedded server, and
    each would wait for the usual 5 ms while a task computes.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))


def wait_for(stop: threading.Event) -> None:
    """Wait until *stop* is set; signals are handled at once meanwhile."""
    while not stop.wait(0.2):
        pass


def log_to(file: str | None, level: int, size: float = 20, kept: int = 9) -> None:
    """Log from *level* on to *file*, or to stderr if it is None.

    A new file begins at *size* MB; *kept* older ones are kept.
    """
    handler = logging.StreamHandler() if file is None else PrivateLog(file, size, kept)
    handler.setFormatter(LineFormatter(LOG_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    handler.addFilter(is_news)
    handler.addFilter(Repeats())
    for chatty in ("ZEO", "txn", "httpx"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    # A line for each request that waits for a thread would let a flood of requests fill the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
