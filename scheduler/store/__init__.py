"""The shared database: opening it, the current connection, units of work, versioned branches."""

from scheduler.store.branch import Branch, has_changes
from scheduler.store.current import connection_of, current, using
from scheduler.store.database import (
    Database,
    connect,
    default_uri,
    holder_of,
    open_database,
)
from scheduler.store.unit import transact

__all__ = [
    "Branch",
    "Database",
    "connect",
    "connection_of",
    "current",
    "default_uri",
    "has_changes",
    "holder_of",
    "open_database",
    "transact",
    "using",
]
