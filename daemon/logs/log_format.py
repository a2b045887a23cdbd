"""The forms of a line of the log: text, or JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

from scheduler.values.legible import LineFormatter, legible
from scheduler.values.masking import hidden

LINE = "%(asctime)s %(process)d %(levelname)s %(name)s %(ids)s%(message)s"
# Attributes that a record has by itself, whatever logs it.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "ids", "taskName"}
_IDS = ("task_id", "task_class", "attempt", "queue")


class TextFormatter(LineFormatter):
    """One line an event, with the ids of the attempt before the message; then its traceback."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Return the line, legible."""
        record.ids = _ids(record)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object an event: time, level, logger, process, message, and what goes with it.

    The ids of the attempt are `task_id`, `task_class`, `attempt` and `queue`; a traceback is
    `exception`. Plain values of `extra=` stand under their own names.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of JSON, without passwords."""
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": hidden(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in event and _is_told(value):
                event[name] = hidden(value) if isinstance(value, str) else value
        trace = self._traceback(record)
        if trace:
            event["exception"] = hidden(trace)
        return json.dumps(event)

    def _traceback(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            return self.formatException(record.exc_info)
        return dedent(record.exc_text or "")


FORMATTERS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}


def _ids(record: logging.LogRecord) -> str:
    task, _, attempt, queue = (getattr(record, name, "") for name in _IDS)
    if task == "":
        return ""
    of_queue = f" of queue {queue}" if queue else ""
    return legible(f"[task {task} attempt {attempt}{of_queue}] ")


def _is_told(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""
