"""The live connection: a browser hears of commits by server-sent events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from werkzeug.wsgi import ClosingIterator
from ZODB import DB

from scheduler.store.commit_signal import CommitSignal
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import read_view

VIEWERS = 32
"""How many browsers are told at a time, each by a thread that sleeps; more of them poll."""

LEAST_SECONDS = 1.0
"""The pause between two events: commits within it are told together."""

PING_SECONDS = 15.0
"""How often a connection shows that it is alive, and the health of the daemon is looked at."""

BEGIN = b"retry: 2000\n\n"
CHANGED = b"event: changed\ndata: \n\n"
PING = b": \n\n"


class Live:
    """Tells the viewers of one database's pages that something has changed.

    Without viewers no thread runs, and nothing is listened to.
    """

    def __init__(self, database: DB, health: Callable[[], str]) -> None:
        self._database = database
        self._health = health
        self._changed = threading.Condition()
        self._viewers = 0
        self._serial = 0
        self._watch: _Watch | None = None
        self._is_closed = False

    def close(self) -> None:
        """End all connections."""
        with self._changed:
            self._is_closed = True
            watch, self._watch = self._watch, None
            self._changed.notify_all()
        if watch is not None:
            watch.close()

    def events(self, seen: int) -> ClosingIterator | None:
        """Return the events for a page that shows transaction *seen*; None for one too many."""
        with self._changed:
            if self._viewers >= VIEWERS or self._is_closed:
                return None
            self._viewers += 1
            if self._watch is None:
                self._watch = _Watch(self._database, self._health, self._announce)
        return ClosingIterator(self._stream(seen, self._serial), self._leave)

    def _stream(self, seen: int, serial: int) -> Iterator[bytes]:
        yield BEGIN
        if self._last_transaction() != seen:
            yield CHANGED
        while True:
            with self._changed:
                if serial == self._serial and not self._is_closed:
                    self._changed.wait(PING_SECONDS)
                has_changed, serial = serial != self._serial, self._serial
            if self._is_closed:
                return
            yield CHANGED if has_changed else PING

    def _last_transaction(self) -> int:
        with read_view(self._database) as connection:
            return snapshot_of(connection)

    def _announce(self) -> None:
        with self._changed:
            self._serial += 1
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._viewers -= 1
            watch = self._watch
            if self._viewers or watch is None:
                return
            self._watch = None
        watch.close()


class _Watch:
    """A thread that calls *announce* after commits, and when the daemon's health has changed."""

    def __init__(
        self, database: DB, health: Callable[[], str], announce: Callable[[], None]
    ) -> None:
        self._health = health
        self._announce = announce
        self._stop = threading.Event()
        self._signal = CommitSignal(database)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._signal.set()
        self._thread.join()

    def _run(self) -> None:
        health = self._health()
        while not self._stop.is_set():
            has_changed = self._signal.wait(PING_SECONDS)
            if not has_changed:
                before, health = health, self._health()
                has_changed = health != before
            if has_changed:
                self._announce()
            self._stop.wait(LEAST_SECONDS)
        self._signal.close()
