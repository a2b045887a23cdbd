"""The output of a process: what is printed becomes lines of the log, with the attempt's ids."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading

STDOUT, STDERR, OUTPUT = "stdout", "stderr", "output"
"""The loggers of what is printed, and of what programs and libraries write beside Python."""

# Characters of one line of the log; a longer one is cut into several.
LONGEST = 8000


class LogStream(io.TextIOWrapper):
    """A standard stream whose lines become records of the logger *name*.

    A line is complete with its line break, or when `end_line` is called; text that a carriage
    return overwrites is no part of it. Bytes that are written to its `buffer`, text of a process
    that was forked, and lines of a level that is not logged go to *descriptor*.
    """

    def __init__(self, descriptor: int, name: str, level: int) -> None:
        beneath = open(descriptor, "wb", closefd=False)  # noqa: SIM115 (open as long as the stream)
        super().__init__(beneath, "utf-8", "backslashreplace", write_through=True)
        self._logger = logging.getLogger(name)
        self._level = level
        self._process = os.getpid()
        self._mine = _Unfinished()

    def write(self, text: str) -> int:
        """Log the lines that *text* completes; return its length."""
        if self._is_passed_on():
            super().write(text)
            super().flush()
            return len(text)
        *lines, rest = (self._mine.text + text).split("\n")
        self._mine.text = rest.rpartition("\r")[2]
        for line in lines:
            self._log(line)
        if len(self._mine.text) > LONGEST:
            self.end_line()
        return len(text)

    def end_line(self) -> None:
        """Log what this thread has written without a line break."""
        line, self._mine.text = self._mine.text, ""
        self._log(line)

    def _is_passed_on(self) -> bool:
        is_forked = os.getpid() != self._process
        return is_forked or self._mine.is_logging or not self._logger.isEnabledFor(self._level)

    def _log(self, line: str) -> None:
        line = line.rstrip("\r").rpartition("\r")[2]
        self._mine.is_logging = True  # a handler that prints is not logged in turn
        try:
            for start in range(0, len(line), LONGEST):
                self._logger.log(self._level, "%s", line[start : start + LONGEST])
        finally:
            self._mine.is_logging = False


class _Unfinished(threading.local):
    """The unfinished line of a thread."""

    text = ""
    is_logging = False


def log_output() -> None:
    """Have the lines that this process prints logged: INFO by `stdout`, WARNING by `stderr`."""
    sys.stdout = LogStream(1, STDOUT, logging.INFO)
    sys.stderr = LogStream(2, STDERR, logging.WARNING)


def end_lines() -> None:
    """Log the unfinished lines of this thread."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.end_line()
