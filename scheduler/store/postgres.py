"""PostgreSQL as the database, through RelStorage, by the URI that PostgreSQL itself uses."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import make_dsn, parse_dsn
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.options import Options
from relstorage.storage import RelStorage


def open_postgres(uri: str) -> Any:
    """Open the storage at *uri*, a connection URI as libpq documents it."""
    options = Options()
    # RelStorage adds to the text that it is given, which a URI does not survive.
    dsn = make_dsn(**parse_dsn(uri))
    return RelStorage(PostgreSQLAdapter(dsn=dsn, options=options), options=options)
