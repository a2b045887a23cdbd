"""The log of the process: its place, level and form; and what the process prints."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import threading
import tomllib
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.config import Log, level_number
from daemon.errors import ConfigurationException
from daemon.logs.log_file import PrivateLog, Repeats
from daemon.logs.log_format import FORMATTERS
from scheduler.runtime.attempt_log import add_ids
from scheduler.runtime.output import OUTPUT, log_output
from scheduler.storage.outage_log import is_not_outage

if TYPE_CHECKING:
    from scheduler.executors.output_pipe import OutputPipe

CHATTY = ("ZEO", "txn", "httpx")
# They log, with a traceback, an object that cannot be read, and raise the error as well.
TOLD_TWICE = ("ZODB.Connection", "ZODB.serialize")


def start_log(settings: Log, *, in_background: bool) -> None:
    """Log as *settings* say: in the background to their file, else to stderr.

    The output of this process is logged, too. Raises ConfigurationException for a file
    `[log] config` that cannot be used.
    """
    if settings.config:
        _configure(settings.config)
    else:
        file = settings.file if in_background else None
        level = level_number(settings.level)
        log_to(file, level, settings.max_size, settings.keep, settings.format)
    if in_background:
        _log_descriptors()
    log_output()


def log_to(
    file: str | None, level: int, size: float = 20, kept: int = 9, style: str = "text"
) -> None:
    """Log from *level* on to *file*, or to stderr if it is None, in a *style* of FORMATTERS.

    A new file begins at *size* MB; *kept* older ones are kept.
    """
    handler = logging.StreamHandler() if file is None else PrivateLog(file, size, kept)
    handler.setFormatter(FORMATTERS[style]())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    _add_filters(handler)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    quieten_zodb()
    # A line for each request that waits for a thread would let a flood of requests fill the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def quieten_zodb() -> None:
    """Keep ZODB from logging errors that it raises as well."""
    for name in TOLD_TWICE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _configure(file: str) -> None:
    """Configure `logging` by *file*: TOML or JSON for `dictConfig`, else for `fileConfig`."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        if file.endswith((".toml", ".json")):
            values = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **values})
        else:
            logging.config.fileConfig(file, disable_existing_loggers=False)
    except Exception as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise ConfigurationException(f"[log] config {file}: {reason}") from error
    for handler in set(_handlers()):
        _add_filters(handler)


def _handlers() -> Iterator[logging.Handler]:
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    for logger in loggers:
        yield from getattr(logger, "handlers", ())


def _add_filters(handler: logging.Handler) -> None:
    for each in (is_not_outage, Repeats(), add_ids):
        handler.addFilter(each)


def _log_descriptors() -> None:
    """Log what programs and libraries write to the output of this process, beside Python."""
    # Imported only by the daemon: the executors would double the start of a short command.
    from scheduler.executors.output_pipe import OutputPipe

    pipe = OutputPipe()
    for descriptor in (1, 2):
        os.dup2(pipe.writer, descriptor)
    os.close(pipe.writer)
    threading.Thread(target=_log_lines, args=(pipe,), name="output", daemon=True).start()


def _log_lines(pipe: OutputPipe) -> None:
    logger = logging.getLogger(OUTPUT)
    while pipe.is_open:
        wait([pipe.fileno()])
        for line in pipe.lines():
            logger.info("%s", line)
