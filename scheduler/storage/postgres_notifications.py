"""Notifications of transactions of a RelStorage database: by PostgreSQL, else by polling."""

from __future__ import annotations

import logging
import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from ZODB.utils import p64

from scheduler.storage.outage import is_outage, pause

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
CLOSE_SECONDS = 5.0

HAS_TRIGGER = (
    "SELECT 1 FROM pg_trigger WHERE tgrelid = 'transaction'::regclass AND tgname = 'relay'"
)
MAKE_TRIGGER = """
CREATE OR REPLACE FUNCTION relay_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('relay', NEW.tid::text);
    RETURN NULL;
END $$;
CREATE TRIGGER relay AFTER INSERT ON transaction
    FOR EACH ROW EXECUTE PROCEDURE relay_announce();
"""


class _Thread:
    """A thread that listens until it is closed."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._is_closing = True
        self._theirs.close()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._listen()
        finally:
            self._ours.close()

    def _listen(self) -> None:
        """Report transactions until `close` is called; overridden by each way to hear of them."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it hears of commits")

    def _wait(self, seconds: float | None, *files: Any) -> None:
        select.select([self._ours, *files], [], [], seconds)


class _Polling(_Thread):
    """Looks for new transactions of *storage* every 50 ms, and calls *on_missed* for them."""

    def __init__(self, storage: Any, on_missed: Callable[[], None]) -> None:
        self._poller = storage.new_instance()
        self._on_missed = on_missed
        self._seen = self._newest()
        super().__init__()

    def _listen(self) -> None:
        while not self._is_closing:
            newest, before = self._newest(), self._seen
            self._seen = newest
            if newest != before:
                self._on_missed()
            self._wait(POLL_SECONDS)
        self._poller.release()

    def _newest(self) -> bytes | None:
        try:
            self._poller.poll_invalidations()
            newest: bytes = self._poller.lastTransaction()
        except Exception as error:
            if not is_outage(error):
                raise
            return self._seen  # nothing is new during an outage
        return newest

    _seen: bytes | None = None


class _Listening(_Thread):
    """Calls *on_commit* with the id of each transaction that PostgreSQL at *dsn* announces.

    A connection that is lost is made again; *on_missed* is called then, for what was missed.
    Raises psycopg2.Error where this database cannot announce.
    """

    def __init__(
        self, dsn: str, on_commit: Callable[[bytes], None], on_missed: Callable[[], None]
    ) -> None:
        self._dsn = dsn
        self._on_commit = on_commit
        self._on_missed = on_missed
        self._psycopg2 = sys.modules["psycopg2"]
        self._connection: Any = self._connect()
        super().__init__()

    def _listen(self) -> None:
        attempt = 0
        while not self._is_closing:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                    self._on_missed()
                attempt = 0
                self._receive()
            except self._psycopg2.Error as error:
                attempt += 1
                log.debug("notifications lost: %s; trying again in %g s", error, pause(attempt))
                self._drop()
                self._wait(pause(attempt))
        self._drop()

    def _receive(self) -> None:
        while not self._is_closing:
            self._wait(None, self._connection)
            self._connection.poll()
            notices = self._connection.notifies
            while notices:
                self._on_commit(p64(int(notices.pop(0).payload)))

    def _connect(self) -> Any:
        connection = self._psycopg2.connect(self._dsn)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                self._make_trigger(cursor)
                cursor.execute("LISTEN relay")
        except self._psycopg2.Error:
            connection.close()
            raise
        return connection

    def _make_trigger(self, cursor: Any) -> None:
        cursor.execute(HAS_TRIGGER)
        if cursor.fetchone() is not None:
            return
        try:
            cursor.execute(MAKE_TRIGGER)
        except self._psycopg2.Error:
            # If several processes make it concurrently, all but one fail.
            cursor.execute(HAS_TRIGGER)
            if cursor.fetchone() is None:
                raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def announcements_of(
    storage: Any, on_commit: Callable[[bytes], None], on_missed: Callable[[], None]
) -> _Thread:
    """Return what calls *on_commit* for each transaction, or *on_missed*, until it is closed."""
    if _can_announce(storage):
        try:
            return _Listening(storage._adapter._dsn, on_commit, on_missed)
        except sys.modules["psycopg2"].Error as error:
            log.info("database polled, since it does not announce transactions: %s", error)
    return _Polling(storage, on_missed)


def _can_announce(storage: Any) -> bool:
    adapter: Any = getattr(storage, "_adapter", None)
    # Without history there is no row for each transaction.
    kinds = [kind.__name__ for kind in type(adapter).__mro__]
    is_postgres = "psycopg2" in sys.modules and "PostgreSQLAdapter" in kinds
    return is_postgres and bool(adapter.keep_history)
