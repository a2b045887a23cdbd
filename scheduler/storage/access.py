"""Access: how a process opens the storage of a database, at first and after a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import zc.lockfile
from ZEO.Exceptions import ClientDisconnected
from ZODB.POSException import POSError

from scheduler.errors import DatabaseUnavailable
from scheduler.values.masking import shown_address, without_secrets


class Access(Protocol):
    """How a process opens the storage of a database."""

    def open(self) -> Any:
        """Return a storage for this process; raises DatabaseUnavailable."""


class Plain:
    """Access to a database that each process opens by itself."""

    def __init__(self, uri: str, factory: Callable[[], Any]) -> None:
        self._uri = uri
        self._factory = factory
        self._process = os.getpid()

    def open(self) -> Any:
        """Open the storage anew."""
        if self._uri.startswith("memory:") and self._process != os.getpid():
            raise DatabaseUnavailable("it is in the memory of that process alone")
        try:
            return open_storage(self._uri, self._factory)
        except zc.lockfile.LockError as error:
            raise DatabaseUnavailable(
                f"{shown_address(self._uri)!r} names a file that another process has locked: stop "
                "that process, or open the file as file:///path/data.fs everywhere, which shares it"
            ) from error


def open_storage(uri: str, factory: Callable[[], Any]) -> Any:
    """Return what *factory* opens.

    Raises LockError where another process has a file; else DatabaseUnavailable, naming *uri*.
    """
    try:
        return factory()
    except (zc.lockfile.LockError, DatabaseUnavailable):
        raise
    except ClientDisconnected as error:
        raise DatabaseUnavailable(
            f"no ZEO server answers at {shown_address(uri)!r}: start it, or correct the address"
        ) from error
    except (OSError, POSError, ValueError) as error:
        raise unavailable(uri, "cannot be opened", error) from shown_cause(error, uri)
    except Exception as error:  # noqa: BLE001 (each is raised again, with the database's name)
        kind = type(error).__name__
        raise unavailable(uri, f"cannot be opened: {kind}", error) from shown_cause(error, uri)


def unavailable(uri: str, fault: str, error: Exception) -> DatabaseUnavailable:
    """Return the error for the database *uri*, in which *error* is no secret's."""
    reason = " ".join(without_secrets(str(error), uri).split())
    return DatabaseUnavailable(f"the database {shown_address(uri)!r} {fault}: {reason}")


def shown_cause(error: Exception, uri: str) -> Exception | None:
    """Return *error*, to be shown as a cause; None if it quotes a password of *uri*."""
    return error if without_secrets(str(error), uri) == str(error) else None
