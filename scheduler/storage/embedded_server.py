"""The embedded server: serves an open database to the other processes of this machine.

The process that holds the storage commits directly (five times cheaper than through a server);
the other processes join over a Unix socket that only its owner may use. Invalidations flow both
ways: a relay among the database's own readers passes every commit on to the server's clients, and
the storage that the server writes through invalidates the database's readers.

Nothing slow may happen between `tpc_begin` and `tpc_finish` in the serving process: it would
stall every client that votes meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from ZEO.asyncio.server import Result
from ZEO.StorageServer import StorageServer, ZEOStorage
from ZODB import DB
from zope.interface import directlyProvides, providedBy

from scheduler.storage.descriptors import cut_off_loop
from scheduler.storage.outage import is_outage
from scheduler.storage.outage_log import Outage

log = logging.getLogger(__name__)

STORAGE_NAME = "1"
# Seconds after which a client that hangs in a commit is cut off.
TRANSACTION_TIMEOUT = 30
INVALIDATIONS_KEPT = 1000
CLOSE_SECONDS = 5.0
# Seconds that a client which has voted may take to end its commit when the server closes.
LAST_COMMIT_SECONDS = 2.0


class EmbeddedServer:
    """Serves the storage of an open database on a Unix socket until it is closed.

    This process must hold the lock of the storage of *database*: an existing file at *path* is
    taken for the leftover of a process that has ended, and replaced.
    """

    def __init__(self, database: DB, path: str) -> None:
        self.path = path
        self._served = _ServedStorage(database)
        # Made with the umask, not afterwards with chmod: nobody else may connect in between.
        umask = os.umask(0o177)
        try:
            self._server = _Server(
                path,
                {STORAGE_NAME: self._served},
                invalidation_queue_size=INVALIDATIONS_KEPT,
                transaction_timeout=TRANSACTION_TIMEOUT,
                client_conflict_resolution=True,
            )
        finally:
            os.umask(umask)
        self._socket = _identity(path)
        self._server.acceptor.event_loop.set_exception_handler(_log_fault)
        self._relay = _InvalidationRelay(self._server, self._served)
        self._readers = database._mvcc_storage
        with self._readers._lock:
            self._readers._instances.add(self._relay)
        self._thread = threading.Thread(
            target=self._server.loop, name="embedded server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Disconnect the clients and stop serving; the database itself stays open."""
        self._readers._release(self._relay)
        self._send_away()
        self._server.close()
        self._thread.join(CLOSE_SECONDS)
        if _identity(self.path) == self._socket:
            os.unlink(self.path)

    def cut_off(self) -> None:
        """Detach this process, a child of the one that serves, from its sockets."""
        cut_off_loop(self._server.acceptor.event_loop)

    def _send_away(self) -> None:
        # The server by itself may stop its loop before it has closed the connections; a client
        # in the middle of a commit would wait for its answer for ever. A client that has voted may
        # end first, so that it knows the outcome of its commit.
        loop, sent_away = self._server.acceptor.event_loop, threading.Event()
        deadline = loop.time() + LAST_COMMIT_SECONDS

        def send_away() -> None:
            self._server.acceptor.server.close()
            committing = self._server.lock_managers[STORAGE_NAME].locked
            if loop.time() > deadline:
                committing = None
            for handlers in self._server.zeo_storages_by_storage_id.values():
                for handler in list(handlers):
                    if handler is not committing:
                        handler.connection.close()
            if committing is None:
                loop.call_soon(loop.call_soon, sent_away.set)
            else:
                loop.call_later(0.002, send_away)

        loop.call_soon_threadsafe(send_away)
        sent_away.wait(CLOSE_SECONDS)


class _ServedStorage:
    """The storage for the server; its commits invalidate the readers of the database."""

    def __init__(self, database: DB) -> None:
        self._storage = database.storage
        self._readers = database._mvcc_storage
        self._oids: set[bytes] = set()
        self.is_finishing = False
        directlyProvides(self, providedBy(database.storage))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def __len__(self) -> int:
        return len(self._storage)

    def registerDB(self, database: Any) -> None:  # noqa: N802 (the storage API's name)
        """Do not register the server with the storage: the relay passes all invalidations."""

    def close(self) -> None:
        """Leave the storage open: it belongs to the database."""

    def tpc_begin(self, *args: Any, **kwargs: Any) -> None:
        self._storage.tpc_begin(*args, **kwargs)
        self._oids = set()

    def store(self, oid: bytes, *args: Any, **kwargs: Any) -> Any:
        self._oids.add(oid)
        return self._storage.store(oid, *args, **kwargs)

    def storeBlob(self, oid: bytes, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 (storage API)
        self._oids.add(oid)
        return self._storage.storeBlob(oid, *args, **kwargs)

    def deleteObject(self, oid: bytes, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 (storage API)
        self._oids.add(oid)
        return self._storage.deleteObject(oid, *args, **kwargs)

    def restore(self, oid: bytes, *args: Any, **kwargs: Any) -> Any:
        self._oids.add(oid)
        return self._storage.restore(oid, *args, **kwargs)

    def undo(self, *args: Any, **kwargs: Any) -> Any:
        tid, oids = self._storage.undo(*args, **kwargs)
        self._oids.update(oids)
        return tid, oids

    def tpc_finish(self, transaction: Any, tell_server: Any = None) -> bytes:
        oids = list(self._oids)

        def note_tid(tid: bytes) -> None:
            if tell_server is not None:
                tell_server(tid)
            # Under the storage's lock, so that nobody else's finish meets this mark.
            self.is_finishing = True
            try:
                self._readers.invalidate(tid, oids)
            finally:
                self.is_finishing = False

        tid: bytes = self._storage.tpc_finish(transaction, note_tid)
        return tid


class _InvalidationRelay:
    """A reader of the database that passes invalidations on to the server."""

    def __init__(self, server: _Server, served: _ServedStorage) -> None:
        self._server = server
        self._served = served

    def _invalidate(self, tid: bytes, oids: Any) -> None:
        if not self._served.is_finishing:
            # A list: the wire's decoder refuses sets, and leaves the client connected and stale.
            self._server.invalidate(None, STORAGE_NAME, tid, list(oids))

    def _invalidateCache(self) -> None:  # noqa: N802 (the reader's interface)
        self._server._invalidateCache(STORAGE_NAME)


class _Server(StorageServer):
    """ZEO's server, corrected for commits from other threads and for clients that hang."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # It would warn, twice for each commit, as soon as a few clients commit at a time.
        for manager in self.lock_managers.values():
            manager._log_waiting = _pass_over

    def invalidate(self, origin: Any, storage_id: str, tid: bytes, oids: Any) -> None:
        # Called by committing threads as well as by the loop, which adds and removes clients:
        # walk a copy. A client that registers later waits for the storage lock held here.
        recent = self.invq[storage_id]
        if len(recent) >= self.invq_bound:
            recent.pop()
        recent.insert(0, (tid, oids))
        for client in list(self.zeo_storages_by_storage_id[storage_id]):
            if client is not origin:
                client.async_threadsafe("invalidateTransaction", tid, oids)

    def create_client_handler(self) -> ZEOStorage:
        _NO_FILES.over()
        return _Handler(self, self.read_only)


class _Handler(ZEOStorage):
    """The server's end of one client's connection."""

    def notify_connected(self, connection: Any) -> None:
        # Closing a connection marks it closed before its loss is handled, so that a client cut
        # off for its transaction's time limit would keep the commit lock for ever: release it.
        super().notify_connected(connection)
        close = connection.close

        def close_and_release() -> None:
            was_open = not connection.closed
            close()
            if was_open:
                self.notify_disconnected()

        connection.close = close_and_release

    def tpc_finish(self, id: bytes) -> Result | None:
        # The storage's last transaction may be another's by now, committed directly: a client
        # told of that one would take its own objects for newer than they are.
        if not self._check_tid(id):
            return None
        self.stats.commits += 1
        tid = self.storage.tpc_finish(self.transaction, self._invalidate)
        self.async_("info", self.get_size_info())
        return Result(tid, self._clear_transaction)


_NO_FILES = Outage("other processes can join again", "no process can join the database")


def _log_fault(loop: Any, context: dict[str, Any]) -> None:
    # The loop, which tries again each second, would log each attempt with a traceback.
    error = context.get("exception")
    if error is not None and is_outage(error):
        _NO_FILES.met(error)
    else:
        loop.default_exception_handler(context)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _pass_over(client: ZEOStorage, message: str) -> None:
    """Do not log clients that wait for each other's commits."""
