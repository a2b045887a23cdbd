"""A long answer: its pieces are made as they are sent, from a snapshot that is open until then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack

from ZODB.Connection import Connection

from export.errors import ServiceUnavailable
from scheduler.store import using

log = logging.getLogger(__name__)

AT_ONCE = 2
"""How many long answers each process sends at a time: more would keep it from other requests."""

PIECE = 32 * 1024
"""The least size of a piece but the last one, in bytes."""

RETRY_AFTER = {"Retry-After": "10"}


class LongAnswer(Iterator[bytes]):
    """The text of *parts*, which read from *connection*; *opened* is closed at the end.

    An error is logged and raised: the server breaks the connection, so that half an answer is not
    taken for a whole one.
    """

    def __init__(
        self, parts: Iterator[bytes], connection: Connection, opened: ExitStack, path: str
    ) -> None:
        self._parts = parts
        self._connection = connection
        self._opened = opened
        self._path = path

    def __next__(self) -> bytes:
        try:
            with using(self._connection):
                piece = self._piece()
        except Exception:
            log.exception("answer to %r broken off", self._path)
            raise
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Tell no more; the server calls it at the end, or when the caller is gone."""
        self._opened.close()

    def _piece(self) -> bytes:
        found, size = [], 0
        for part in self._parts:
            found.append(part)
            size += len(part)
            if size >= PIECE:
                break
        return b"".join(found)


class LongAnswerPlaces:
    """The places for long answers in this process."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def take(self, opened: ExitStack) -> None:
        """Take a place, which is given back when *opened* is closed. Raises ServiceUnavailable."""
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable("As many long answers are sent as may be", RETRY_AFTER)
        opened.callback(self._places.release)
