"""PostgreSQL as the database, through RelStorage, by the URI that PostgreSQL itself uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from weakref import WeakSet

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
    address, _, query = uri.partition("?")
    given = dict(parse_qsl(query.replace("+", "%2B")))  # a plus is no space to libpq
    settings, rest = postgresql_resolver.interpret_kwargs(given)
    options = Options(**settings)
    of_libpq = {key: value for key, value in rest.items() if key not in OF_THE_DATABASE}
    # RelStorage adds to the text that it is given, which a URI does not survive.
    dsn = make_dsn(**parse_dsn(f"{address}?{urlencode(of_libpq, quote_via=quote)}"))
    adapter = PostgreSQLAdapter(dsn=dsn, options=options)
    # A child process has to know them, to leave them alone.
    opened: WeakSet[Any] = WeakSet()
    driver = adapter.connmanager.driver
    driver.connect = _noting(driver.connect, opened)
    storage = RelStorage(adapter, options=options)
    storage.opened_connections = opened
    return storage


def _noting(connect: Callable[..., Any], opened: WeakSet[Any]) -> Callable[..., Any]:
    def connect_and_note(*args: Any, **options: Any) -> Any:
        connection = connect(*args, **options)
        opened.add(connection)
        return connection

    return connect_and_note
