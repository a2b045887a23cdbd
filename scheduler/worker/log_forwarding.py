"""What another process has to log: it is sent here, and written into the log of this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, NamedTuple

from scheduler.storage.outage_log import is_news

PLAIN = (str, int, float, type(None))


class Said(NamedTuple):
    """A record of a log, as it can be sent: only plain values of it."""

    fields: dict[str, Any]

    @classmethod
    def of(cls, record: logging.LogRecord) -> Said:
        """Return what is to be sent of *record*, whose message is complete."""
        return cls({key: value for key, value in vars(record).items() if isinstance(value, PLAIN)})

    def log(self) -> None:
        """Log it in this process, as far as its logger is to log such a thing."""
        record = logging.makeLogRecord(self.fields)
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


class Teller(QueueHandler):
    """Sends what is logged by *send*, in place of writing it.

    A process that was forked from this one has no part in its pipe: it writes to stderr.
    """

    def __init__(self, send: Callable[[Said], None]) -> None:
        super().__init__(SimpleQueue())  # which is not used
        self._send = send
        self._pid = os.getpid()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send *record*; whoever is gone does not hear of it."""
        if os.getpid() != self._pid:
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        try:
            self._send(Said.of(record))
        except OSError:
            return


def tell(send: Callable[[Said], None], level: int) -> None:
    """Have all that this process logs from *level* on sent by *send*."""
    teller = Teller(send)
    teller.addFilter(is_news)
    teller.setFormatter(logging.Formatter("%(message)s"))  # the rest is sent beside it
    logging.basicConfig(level=level, handlers=[teller], force=True)
