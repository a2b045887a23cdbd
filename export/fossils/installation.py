"""The installation's own address, kept in the database for all that tell addresses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import ReadOnlyError

from export.errors import ExportConfigurationException
from export.fossils.address import absolute
from scheduler.store import Schema, transact


class Installation(Persistent):
    """The stored settings of this installation.

    Conflict behaviour: written only where a setting has changed; of two at once one repeats.
    """

    base_url = ""


SCHEMA = Schema("installation", 1, Installation)


def base_url(connection: Connection | None) -> str:
    """Return the installation's address as *connection* has it; empty where it is not known."""
    if connection is None or not SCHEMA.exists(connection):
        return ""
    return SCHEMA.get(connection).base_url


def set_base_url(connection: Connection, address: str) -> None:
    """Keep *address* in the transaction of *connection*; ExportConfigurationException for none."""
    parts = urlsplit(address)
    if address and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise ExportConfigurationException(
            f"base_url is {address!r}: it must be an address as 'https://indico.example.org'"
        )
    SCHEMA.get(connection).base_url = address.rstrip("/")


def keep_base_url(database: DB, address: str) -> str:
    """Keep *address* in *database*, where it is not the one there; return the one that counts.

    An empty *address* leaves the one that is kept.
    """
    with database.transaction() as connection:
        known = base_url(connection)
    wanted = address.rstrip("/")
    if not wanted or wanted == known:
        return known
    with suppress(ReadOnlyError):  # it counts here all the same
        transact(database, lambda own: set_base_url(own, wanted), note="base_url is set")
    return wanted


def address_of(obj: Any, url: Any) -> Any:
    """Return the address of *url*, a path of the installation in whose database *obj* is."""
    if not isinstance(url, str) or not url.startswith("/"):
        return url
    return absolute(url, base_url(getattr(obj, "_p_jar", None)))
