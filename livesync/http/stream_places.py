"""The places for readers that keep listening: each of them takes a thread of the front end."""

from __future__ import annotations

import threading
from typing import Protocol
from weakref import WeakKeyDictionary

from ZODB import DB

PATH = "/export/changes.sse"
STREAMS_AT_ONCE = 16
"""How many readers each process serves as long as they listen."""

END_SECONDS = 5.0


class Stoppable(Protocol):
    """A stream that can be ended from another thread."""

    def stop(self) -> None:
        """End the waiting for something to tell."""


class StreamPlaces:
    """The streams of one database that this process serves now."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._taken: set[Stoppable] = set()

    def enter(self, stream: Stoppable) -> bool:
        """Take a place for *stream*; return whether there was one."""
        with self._lock:
            if len(self._taken) >= STREAMS_AT_ONCE:
                return False
            self._taken.add(stream)
            return True

    def leave(self, stream: Stoppable) -> None:
        """Give the place of *stream* back."""
        with self._lock:
            self._taken.discard(stream)
            self._lock.notify_all()

    def end(self) -> None:
        """End all streams, and wait a while until they have ended."""
        with self._lock:
            for stream in self._taken:
                stream.stop()
            self._lock.wait_for(lambda: not self._taken, END_SECONDS)


_all_places: WeakKeyDictionary[DB, StreamPlaces] = WeakKeyDictionary()


def places_of(database: DB) -> StreamPlaces:
    """Return the places for the readers of *database*."""
    return _all_places.setdefault(database, StreamPlaces())


def end_streams(database: DB) -> None:
    """End what this process streams to the readers of *database*."""
    places_of(database).end()
