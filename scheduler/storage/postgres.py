"""PostgreSQL as the database, through RelStorage, by the URI that PostgreSQL itself uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from weakref import WeakSet

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.adapters.postgresql.drivers.psycopg2 import Psycopg2Driver
from relstorage.options import Options
from relstorage.storage import RelStorage
from relstorage.storage.oid import OIDs
from relstorage.zodburi_resolver import postgresql_resolver
from ZODB.utils import u64

from scheduler.storage.postgres_commit import CommitFunctions
from scheduler.storage.postgres_connection import PromptConnection
from scheduler.storage.postgres_restores import KnownTransaction, RestoreAdapter

# The options that zodburi has for the ZODB.DB: the pool and cache of its connections.
OF_THE_DATABASE = ("connection_pool_size", "connection_cache_size", "database_name")


class PostgresStorage(RelStorage):
    """A storage in PostgreSQL that notices that its database was put back to an earlier state."""

    opened_connections: WeakSet[Any]
    """The connections of libpq; a child process has to know them, to leave them alone."""

    _drops = 0
    _oids: Any

    @property
    def on_restore(self) -> Callable[[bytes, bytes], None]:
        """Called with the last transaction that is lost, and the newest that is there."""
        return self._known.on_restore

    @on_restore.setter
    def on_restore(self, call: Callable[[bytes, bytes], None]) -> None:
        self._known.on_restore = call

    def poll_invalidations(self) -> Any:
        """Return the oids that were changed; None for all."""
        changed = super().poll_invalidations()
        if self._drops != self._known.drops:
            self._drops = self._known.drops
            # The transaction before may have read states that are lost, and the database hands
            # out again the ids that were set aside for new objects.
            self._known.drop()
            if isinstance(self._oids, OIDs):  # it may be read only
                self._oids = OIDs(self._adapter.oidallocator)
        return changed

    def tpc_vote(self, transaction: Any) -> Any:
        """Vote; the commit of a lazy transaction does not wait for the disk."""
        self._adapter.begin_commit(is_lazy=getattr(transaction, "is_lazy", False))
        return super().tpc_vote(transaction)

    def reach_disk(self) -> None:
        """Return when all that is committed is on the disk, lazy commits included."""
        pool = self._store_connection_pool
        connection = pool.borrow()
        try:
            # A transaction that waits comes to the disk behind all that was logged before it.
            connection.cursor.execute("SELECT pg_logical_emit_message(true, 'relay', '')")
            connection.commit()
        finally:
            pool.replace(connection)

    def tpc_finish(self, *args: Any, **options: Any) -> bytes:
        """Store, and return the id of the transaction."""
        tid: bytes = super().tpc_finish(*args, **options)
        self._known.met(u64(tid))
        return tid

    @property
    def _known(self) -> KnownTransaction:
        known: KnownTransaction = self._adapter.known
        return known


def open_postgres(uri: str) -> Any:
    """Open the storage at *uri*, a connection URI as libpq documents it.

    Behind its `?` options of RelStorage and of zodburi may stand as well.
    """
    dsn, settings = _read(uri)
    return _opened(dsn, Options(**settings))


def in_place_of(storage: RelStorage) -> RelStorage:
    """Return a PostgresStorage in the place of *storage*, which is closed.

    A storage of another kind is returned itself.
    """
    if not _is_plain(storage):
        return storage
    dsn, options = storage._adapter._dsn, storage._options
    storage.close()
    return _opened(dsn, options)


def watch(storage: RelStorage, on_restore: Callable[[bytes, bytes], None]) -> None:
    """Have *storage*, which others have opened and use, notice restores as a PostgresStorage does.

    A storage of another kind stays as it is.
    """
    if not _is_plain(storage):
        return
    known, functions = KnownTransaction(), CommitFunctions()
    known.drop, known.on_restore = storage._cache.local_client.flush_all, on_restore
    for each in [storage, *(reference() for reference in storage._instances)]:
        if each is not None and not each._closed:
            each._adapter.__class__ = RestoreAdapter
            each._adapter.watch(known)
            each._adapter.take_over(functions)
            each.__class__ = PostgresStorage


def _is_plain(storage: RelStorage) -> bool:
    return type(storage) is RelStorage and type(storage._adapter) is PostgreSQLAdapter


def _opened(dsn: str, options: Options) -> PostgresStorage:
    adapter = RestoreAdapter(dsn=dsn, options=options)
    opened: WeakSet[Any] = WeakSet()
    driver = adapter.connmanager.driver
    is_plain = type(driver) is Psycopg2Driver  # that of gevent has connections of its own
    driver.connect = _noting(PromptConnection if is_plain else driver.connect, opened)
    storage = PostgresStorage(adapter, options=options)
    storage.opened_connections = opened
    adapter.known.drop = storage._cache.local_client.flush_all
    return storage


def has_tables(uri: str) -> bool:
    """Return whether the database at *uri* has the tables of RelStorage; nothing is made."""
    with closing(psycopg2.connect(_read(uri)[0])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('object_state')")
        (found,) = cursor.fetchone()
        return found is not None


def _read(uri: str) -> tuple[str, dict[str, Any]]:
    """Return *uri* as libpq takes it, and its options of RelStorage."""
    address, _, query = uri.partition("?")
    given = dict(parse_qsl(query.replace("+", "%2B")))  # a plus is no space to libpq
    settings, rest = postgresql_resolver.interpret_kwargs(given)
    of_libpq = {key: value for key, value in rest.items() if key not in OF_THE_DATABASE}
    # RelStorage adds to the text that it is given, which a URI does not survive.
    dsn = make_dsn(**parse_dsn(f"{address}?{urlencode(of_libpq, quote_via=quote)}"))
    return dsn, settings


def _noting(connect: Callable[..., Any], opened: WeakSet[Any]) -> Callable[..., Any]:
    def connect_and_note(*args: Any, **options: Any) -> Any:
        connection = connect(*args, **options)
        opened.add(connection)
        return connection

    return connect_and_note
