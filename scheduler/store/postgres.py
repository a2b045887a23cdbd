"""PostgreSQL as the database, through RelStorage, by the URI that PostgreSQL itself uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from psycopg2.extensions import make_dsn, parse_dsn
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.options import Options
from relstorage.storage import RelStorage


def open_postgres(uri: str) -> Any:
    """Open the storage at *uri*, a connection URI as libpq documents it."""
    options = Options()
    # RelStorage adds to the text that it is given, which a URI does not survive.
    dsn = make_dsn(**parse_dsn(uri))
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
