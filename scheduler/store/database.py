"""Databases by URI: the embedded one, which processes share, and all others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from weakref import WeakSet

import transaction
import zodburi
from ZConfig import ConfigurationError
from ZEO.ClientStorage import ClientStorage
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.DB import ConnectionPool, KeyedConnectionPool
from ZODB.interfaces import IMVCCStorage
from ZODB.mvccadapter import MVCCAdapter

from scheduler.errors import DatabaseUnavailable, OpenedBeforeFork
from scheduler.storage.access import Access, Plain
from scheduler.storage.descriptors import cut_off
from scheduler.storage.embedded import Embedded, file_and_query
from scheduler.storage.embedded_file import EmbeddedStorage
from scheduler.storage.messages import receive_linearly
from scheduler.storage.private_files import own_folder
from scheduler.store.connection import OwnConnection
from scheduler.store.current import using
from scheduler.store.moved import install
from scheduler.store.observed import arrive
from scheduler.store.restore_check import RestoreCheck, forget
from scheduler.values.masking import hidden

receive_linearly()

URI_VARIABLE = "SCHEDULER_DATABASE"
EMBEDDED_FILE = "var/relay.fs"
POOL_SIZE = 50
# Objects in memory of each connection, as zodburi has it for the other URIs.
CACHE_SIZE = 10_000
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


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
        storage = _ready(access.open())
        try:
            super().__init__(storage, **options)
        except BaseException:
            storage.close()
            raise
        install(self)
        self._watch(storage)
        try:
            _opened.add(self)
            arrive(self)
        except BaseException:
            self.close()
            raise

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
                f"the database {hidden(self.uri)!r} was opened in process {parent}, before process "
                f"{os.getpid()} was forked from it, and cannot be opened here: {error}. Open it "
                "after the fork (gunicorn: without --preload; uWSGI: with lazy-apps)"
            ) from error
        self.storage = storage
        is_shared = IMVCCStorage.providedBy(storage)
        self._mvcc_storage = storage if is_shared else MVCCAdapter(storage)
        self._watch(storage)
        _opened.add(self)

    def _watch(self, storage: Any) -> None:
        if isinstance(storage, ClientStorage):
            RestoreCheck(self, storage)
        elif isinstance(storage, EmbeddedStorage):
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


def default_uri() -> str:
    """Return the default URI: $SCHEDULER_DATABASE, else the embedded database."""
    return os.environ.get(URI_VARIABLE) or f"file://{Path(EMBEDDED_FILE).absolute()}"


@contextmanager
def connect(uri: str | None = None) -> Iterator[Connection]:
    """Open a database for a script and make its connection the current one.

    It belongs to the thread's transaction manager, so `transaction.commit()` commits; what is
    not committed at the end is aborted. Raises DatabaseUnavailable.
    """
    database = open_database(uri)
    try:
        connection = database.open()
        with using(connection):
            yield connection
    finally:
        transaction.abort()
        database.close()


def open_database(uri: str | None = None) -> Database:
    """Open the database that *uri* names (see `default_uri` for None).

    A `file://` database is embedded: the processes of this machine share the file. Raises
    DatabaseUnavailable, naming the culprit.
    """
    uri = uri or default_uri()
    if uri.startswith(POSTGRES_SCHEMES):
        postgres = Plain(uri, lambda: _open_postgres(uri))
        return Database(postgres, uri, **_postgres_options(uri))
    factory, options = _resolve(uri)
    if uri.startswith("sqlite://"):
        _close_folder(uri)
    access: Access = Embedded(uri) if uri.startswith("file://") else Plain(uri, factory)
    return Database(access, uri, **options)


def file_of(uri: str) -> Path | None:
    """Return the file of the embedded database *uri*; None for every other database."""
    return file_and_query(uri)[0] if uri.startswith("file://") else None


def _resolve(uri: str) -> tuple[Any, dict[str, Any]]:
    try:
        factory, options = zodburi.resolve_uri(uri)
        options["pool_size"] = max(options["pool_size"], POOL_SIZE)
        return factory, options
    except zodburi.NoResolverForScheme:
        raise DatabaseUnavailable(
            f"{uri!r} does not name a database: use file:///path/data.fs, zeo://host:port, "
            "zconfig:///path/zodb.conf, memory://, or, with the extra 'postgres' installed, "
            "postgresql://... (or postgres://...)"
        ) from None
    except zodburi.UnknownDatabaseKeywords as error:
        raise DatabaseUnavailable(f"the database URI {uri!r}: {error.args[0]}") from None
    except (ConfigurationError, ValueError, KeyError, OSError, SyntaxError, ImportError) as error:
        raise DatabaseUnavailable(f"the database URI {uri!r} cannot be read: {error}") from error


def _postgres_options(uri: str) -> dict[str, int]:
    query = dict(parse_qsl(uri.partition("?")[2]))
    options = {"pool_size": POOL_SIZE, "cache_size": CACHE_SIZE}
    for name, default in options.items():
        text = query.get(f"connection_{name}", str(default))
        if not text.isdecimal():
            raise DatabaseUnavailable(
                f"the database URI: connection_{name} is {text!r}; it must be a whole number"
            )
        options[name] = int(text)
    return options


def _open_postgres(uri: str) -> Any:
    # Imported only where it is asked for: RelStorage is an extra, and slow to import.
    try:
        postgres = import_module("scheduler.storage.postgres")
    except ImportError:
        raise DatabaseUnavailable(
            f"the database {uri!r} needs RelStorage: install the extra 'postgres'"
        ) from None
    return postgres.open_postgres(uri)


def _close_folder(uri: str) -> None:
    """Make the folder of a database of SQLite, closed to others."""
    for folder in parse_qs(urlsplit(uri).query).get("data_dir", ()):
        own_folder(Path(folder).absolute(), "main.sqlite3")


def _ready(storage: Any) -> Any:
    if isinstance(storage, ClientStorage):
        _forget_ids_of_gone_servers(storage)
    return storage


def _forget_ids_of_gone_servers(storage: ClientStorage) -> None:
    # A client sets aside ids for new objects; a server that takes over hands out the same again.
    disconnected = storage.notify_disconnected

    def notify_disconnected() -> None:
        storage._oids.clear()
        disconnected()

    storage.notify_disconnected = notify_disconnected
