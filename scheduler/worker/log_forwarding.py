"""The log of a worker: sent to the process that has started it, and written into that one's log."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, NamedTuple, TextIO

from scheduler.runtime.attempt_log import add_ids
from scheduler.runtime.output import OUTPUT, STDERR, STDOUT
from scheduler.storage.outage_log import is_not_outage
from scheduler.values.legible import LineFormatter

PLAIN = (str, int, float, type(None))


class ForwardedLine(NamedTuple):
    """A record of a log, as it can be sent: only plain values of it."""

    fields: dict[str, Any]

    @classmethod
    def of(cls, record: logging.LogRecord) -> ForwardedLine:
        """Return what is to be sent of *record*, whose message is complete."""
        return cls({key: value for key, value in vars(record).items() if isinstance(value, PLAIN)})

    @classmethod
    def printed(cls, line: str, process: int) -> ForwardedLine:
        """Return what is to be said of a *line* that was written to the output of *process*."""
        level = logging.INFO
        fields = {"name": OUTPUT, "levelno": level, "levelname": "INFO", "msg": line}
        return cls({**fields, "process": process})

    def log(self) -> None:
        """Log it in this process, as far as its logger is to log such a thing.

        Printed text that is not to be logged is printed.
        """
        record = logging.makeLogRecord(self.fields)
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
        elif record.name in (STDOUT, STDERR, OUTPUT):
            _print(sys.stdout if record.name == STDOUT else sys.stderr, record.getMessage())


def _print(stream: TextIO | None, line: str) -> None:
    if stream is not None:
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except (OSError, ValueError):
            return  # it is closed


class LogForwarder(QueueHandler):
    """Sends what is logged by *send*, in place of writing it.

    A process that was forked from this one has no part in its pipe: it writes to stderr.
    """

    def __init__(self, send: Callable[[ForwardedLine], None]) -> None:
        super().__init__(SimpleQueue())  # which is not used
        self.addFilter(add_ids)
        self._send = send
        self._pid = os.getpid()
        self._formatter = LineFormatter()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return *record* as texts: the message, and apart from it the traceback."""
        message, trace = record.getMessage(), record.exc_text
        if record.exc_info:
            trace = self._formatter.formatException(record.exc_info)
        plain = logging.makeLogRecord(vars(record))
        plain.msg = plain.message = message
        plain.args = plain.exc_info = None
        plain.exc_text = trace
        return plain

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send *record*; whoever is gone does not hear of it."""
        if os.getpid() != self._pid:
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        try:
            self._send(ForwardedLine.of(record))
        except OSError:
            return


def forward_logs(send: Callable[[ForwardedLine], None], levels: Mapping[str, int]) -> None:
    """Have what this process logs sent by *send*, in place of writing it.

    *levels* are those of the loggers that have one, in the process that writes the log. INFO is
    logged in any case: it is kept with attempts.
    """
    forwarder = LogForwarder(send)
    forwarder.addFilter(is_not_outage)
    level = min(levels.get("", logging.INFO), logging.INFO)
    logging.basicConfig(level=level, handlers=[forwarder], force=True)
    for name, each in levels.items():
        if name:
            logging.getLogger(name).setLevel(each)


def levels_here() -> dict[str, int]:
    """Return the levels of the loggers of this process that have one, the root's under ""."""
    loggers = dict(logging.getLogger().manager.loggerDict)
    levels = {
        name: each.level for name, each in loggers.items() if isinstance(each, logging.Logger)
    }
    return {"": logging.getLogger().level, **{name: each for name, each in levels.items() if each}}
