"""Databases by URI: the embedded one, which processes share, and all others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import transaction
import zodburi
from ZConfig import ConfigurationError
from ZODB.Connection import Connection

from scheduler.errors import DatabaseUnavailable
from scheduler.storage.access import Access, Plain, shown_cause, unavailable
from scheduler.storage.embedded import Embedded, file_and_query
from scheduler.storage.private_files import own_folder
from scheduler.store.current import using
from scheduler.store.database import Database
from scheduler.values.extras import missing_extra
from scheduler.values.masking import shown_address

URI_VARIABLE = "SCHEDULER_DATABASE"
URI_FILE_VARIABLE = "SCHEDULER_DATABASE_FILE"
SETTING_VARIABLE = "RELAY_DATABASE"
"""The setting of the daemon in the environment, which holds for all commands there."""
EMBEDDED_FILE = "var/relay.fs"
POOL_SIZE = 50
# Objects in memory of each connection, as zodburi has it for the other URIs.
CACHE_SIZE = 10_000
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def default_uri() -> str:
    """Return the default URI: $SCHEDULER_DATABASE, else $RELAY_DATABASE, else the embedded one.

    $SCHEDULER_DATABASE_FILE, and $RELAY_DATABASE_FILE, may name a file with the URI, so that a
    password in it stays there. Raises DatabaseUnavailable where that cannot be read.
    """
    for name in (URI_VARIABLE, SETTING_VARIABLE):
        file = f"{name}_FILE"
        uri = os.environ.get(name) or _uri_in_file(file, os.environ.get(file, ""))
        if uri:
            return uri
    return f"file://{Path(EMBEDDED_FILE).absolute()}"


def _uri_in_file(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseUnavailable(f"${name}: {error}") from None


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
    access, options = _access(uri)
    return Database(access, uri, **options)


def open_bare(uri: str) -> Any:
    """Open the storage that *uri* names, without a database upon it, which would begin to use it.

    Raises DatabaseUnavailable, naming the culprit.
    """
    return _access(uri)[0].open()


def _access(uri: str) -> tuple[Access, dict[str, Any]]:
    """Return the access to the database *uri*, and the options of its ZODB.DB."""
    if uri.startswith(POSTGRES_SCHEMES):
        return Plain(uri, lambda: _open_postgres(uri)), {**_postgres_options(uri)}
    factory, options = resolved(uri)
    if uri.startswith("sqlite://"):
        _close_folder(uri)
    return (Embedded(uri) if uri.startswith("file://") else Plain(uri, factory)), options


def file_of(uri: str) -> Path | None:
    """Return the file of the embedded database *uri*; None for every other database."""
    return file_and_query(uri)[0] if uri.startswith("file://") else None


def resolved(uri: str) -> tuple[Any, dict[str, Any]]:
    """Return what opens the storage of *uri*, and the options of its ZODB.DB, as zodburi has them.

    Raises DatabaseUnavailable.
    """
    try:
        factory, options = zodburi.resolve_uri(uri)
        options["pool_size"] = max(options["pool_size"], POOL_SIZE)
        return factory, options
    except zodburi.NoResolverForScheme:
        raise DatabaseUnavailable(
            f"{shown_address(uri)!r} does not name a database: use file:///path/data.fs, "
            "zeo://host:port, zconfig:///path/zodb.conf, memory://, or, with "
            "zodb-relay[postgres] installed, postgresql://... (or postgres://...)"
        ) from None
    except zodburi.UnknownDatabaseKeywords as error:
        raise DatabaseUnavailable(
            f"the database URI {shown_address(uri)!r}: {error.args[0]}"
        ) from None
    except (ConfigurationError, ValueError, KeyError, OSError, SyntaxError, ImportError) as error:
        raise unavailable(uri, "has a URI that cannot be read", error) from shown_cause(error, uri)


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
    except ImportError as error:
        raise DatabaseUnavailable(
            f"the database {shown_address(uri)!r} cannot be opened: {missing_extra(error) or error}"
        ) from None
    return postgres.open_postgres(uri)


def _close_folder(uri: str) -> None:
    """Make the folder of a database of SQLite, closed to others."""
    for folder in parse_qs(urlsplit(uri).query).get("data_dir", ()):
        own_folder(Path(folder).absolute(), "main.sqlite3")
