"""The database: one connection pool that survives forks and restored files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from threading import RLock
from typing import Any
from weakref import WeakSet

from ZEO.ClientStorage import ClientStorage
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.DB import ConnectionPool, KeyedConnectionPool
from ZODB.interfaces import IMVCCStorage
from ZODB.POSException import ConflictError

from scheduler.errors import DatabaseUnavailable, OpenedBeforeFork
from scheduler.storage.access import Access
from scheduler.storage.bounded_adapter import BoundedAdapter, bound
from scheduler.storage.descriptors import cut_off
from scheduler.storage.internals import forget_new_ids, shared_storage
from scheduler.storage.messages import receive_linearly
from scheduler.store.connection import OwnConnection
from scheduler.store.moved import install
from scheduler.store.observed import announce
from scheduler.store.restore_check import RestoreCheck, forget
from scheduler.store.snapshot import give_back
from scheduler.values.masking import shown_address

receive_linearly()


class Database(DB):
    """A database that knows its URI.

    A child process that is forked while it is open opens the storage anew at the first use; if
    it cannot, OpenedBeforeFork says why.
    """

    klass = OwnConnection
    pool: ConnectionPool
    historical_pool: KeyedConnectionPool
    epoch = 0
    """How many times the database was seen to be restored to an earlier state."""

    def __init__(self, access: Access, uri: str, **options: Any) -> None:
        self.uri = uri
        self._access = access
        try:
            storage = self._begin(options)
        except ConflictError:  # another process made the root of a new database at this moment
            storage = self._begin(options)
        bound(self._mvcc_storage)
        install(self)
        self._watch(storage)
        try:
            _opened.add(self)
            announce(self)
            give_back(storage)
        except BaseException:
            self.close()
            raise

    def _begin(self, options: Mapping[str, Any]) -> Any:
        """Open the storage, make its root if it is new, and return it."""
        storage = _ready(self._access.open())
        try:
            super().__init__(storage, **options)
        except BaseException:
            storage.close()
            raise
        return storage

    def open(self, *args: Any, **options: Any) -> Connection:
        """Open a connection, as `ZODB.DB.open` does."""
        self._be_here()
        return super().open(*args, **options)

    def close(self) -> None:
        """Close the database with all its connections."""
        _opened.discard(self)
        if self._process != os.getpid():
            self.leave_parent()
            return
        super().close()

    @property
    def storage(self) -> Any:
        """The storage that this process uses."""
        self._be_here()
        return self._own_storage

    @storage.setter
    def storage(self, storage: Any) -> None:
        self._process = self._left = os.getpid()
        self._own_storage = storage

    @storage.deleter
    def storage(self) -> None:
        del self._own_storage

    @property
    def _mvcc_storage(self) -> Any:
        self._be_here()
        return self._shared_storage

    @_mvcc_storage.setter
    def _mvcc_storage(self, storage: Any) -> None:
        self._shared_storage = storage

    @_mvcc_storage.deleter
    def _mvcc_storage(self) -> None:
        del self._shared_storage

    def adopt(self, connection: Connection) -> None:
        """Add *connection*, which was opened before a fork, to the pool of this process."""
        with self._lock:
            if connection.before is None:
                self.pool.all.add(connection)

    def leave_parent(self) -> None:
        """Share nothing with the parent process any more; called in a child process."""
        if self._left == os.getpid():
            return
        self._left = os.getpid()
        cut_off(self._own_storage)
        # Nothing of it may be finalized here: it belongs to the parent.
        _left_behind.append((self._own_storage, self._shared_storage))
        self._lock = RLock()
        connections = [*self.pool, *self.historical_pool]
        self.pool = ConnectionPool(self.pool.size, self.pool.timeout)
        self.historical_pool = KeyedConnectionPool(
            self.historical_pool.size, self.historical_pool.timeout
        )
        for connection in connections:
            connection.leave_parent()

    def _be_here(self) -> None:
        if self._process == os.getpid():
            return
        with _reopening:
            if self._process != os.getpid():
                self.leave_parent()
                self._reopen()

    def _reopen(self) -> None:
        parent = self._process
        try:
            storage = _ready(self._access.open())
        except DatabaseUnavailable as error:
            raise OpenedBeforeFork(
                f"the database {shown_address(self.uri)!r} was opened in process {parent}, before "
                f"process {os.getpid()} was forked from it, and cannot be opened here: {error}. "
                "Open it after the fork (gunicorn: without --preload; uWSGI: with lazy-apps)"
            ) from error
        self.storage = storage
        is_shared = IMVCCStorage.providedBy(storage)
        self._mvcc_storage = storage if is_shared else BoundedAdapter(storage)
        self._watch(storage)
        give_back(storage)
        _opened.add(self)

    def _watch(self, storage: Any) -> None:
        if isinstance(storage, ClientStorage):
            RestoreCheck(self, storage)
        elif hasattr(storage, "on_restore"):  # the embedded file, PostgreSQL
            storage.on_restore = partial(forget, self)

    def _returnToPool(self, connection: Connection) -> None:  # noqa: N802 (ZODB's name)
        if connection.before is None and connection not in self.pool.all:
            connection.opened = None  # it was opened before a fork, and not used since
        elif connection.before is not None and connection.before not in self.historical_pool.pools:
            connection.opened = None
        else:
            super()._returnToPool(connection)


_opened: WeakSet[Database] = WeakSet()
_left_behind: list[Any] = []
_reopening = RLock()


def _leave_parent() -> None:
    global _reopening
    _reopening = RLock()  # a thread that is not here may hold the other one
    for database in list(_opened):
        database.leave_parent()


os.register_at_fork(after_in_child=_leave_parent)


def watch_restores(database: DB) -> None:
    """Have *database*, which the application has opened by itself, notice that it is restored."""
    if hasattr(database, "epoch"):
        return
    database.epoch = 0
    bound(shared_storage(database))
    if isinstance(database.storage, ClientStorage):
        RestoreCheck(database, database.storage)
    elif _is_postgres(database.storage):
        _postgres().watch(database.storage, partial(forget, database))
        give_back(database.storage)


def _ready(storage: Any) -> Any:
    if isinstance(storage, ClientStorage):
        _forget_ids_of_gone_servers(storage)
    return _postgres().in_place_of(storage) if _is_postgres(storage) else storage


def _is_postgres(storage: Any) -> bool:
    adapter: Any = getattr(storage, "_adapter", None)
    is_postgres = type(adapter).__module__.startswith("relstorage.adapters.postgresql")
    return is_postgres and "psycopg2" in adapter.driver.__name__


def _postgres() -> Any:
    return import_module("scheduler.storage.postgres")  # RelStorage is an extra


def _forget_ids_of_gone_servers(storage: ClientStorage) -> None:
    # A client sets aside ids for new objects; a server that takes over hands out the same again.
    disconnected = storage.notify_disconnected

    def notify_disconnected() -> None:
        forget_new_ids(storage)
        disconnected()

    storage.notify_disconnected = notify_disconnected
