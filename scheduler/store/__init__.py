"""The shared database: opening it, the current connection, units of work, versioned schemas."""

from scheduler.store.current import connection_of, current, using
from scheduler.store.database import Database
from scheduler.store.database_uri import connect, default_uri, open_database
from scheduler.store.schema import Schema, has_changes
from scheduler.store.transact import transact

__all__ = [
    "Database",
    "Schema",
    "connect",
    "connection_of",
    "current",
    "default_uri",
    "has_changes",
    "open_database",
    "transact",
    "using",
]
