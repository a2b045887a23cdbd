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
from relstorage.options import Options
from relstorage.storage import RelStorage
from relstorage.zodburi_resolver import postgresql_resolver

# The options that zodburi has for the ZODB.DB: the pool and cache of its connections.
OF_THE_DATABASE = ("connection_pool_size", "connection_cache_size", "database_name")


def open_postgres(uri: str) -> Any:
    """Open the storage at *uri*, a connection URI as libpq documents it.

    Behind its `?` options of RelStorage and of zodburi may stand as well.
    """
    dsn, settings = _read(uri)
    options = Options(**settings)
    adapter = PostgreSQLAdapter(dsn=dsn, options=options)
    # A child process has to know them, to leave them alone.
    opened: WeakSet[Any] = WeakSet()
    driver = adapter.connmanager.driver
    driver.connect = _noting(driver.connect, opened)
    storage = RelStorage(adapter, options=options)
    storage.opened_connections = opened
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
