"""Access: how a process opens the storage of a database, at first and after a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import zc.lockfile
from ZEO.Exceptions import ClientDisconnected
from ZODB.POSException import POSError

from scheduler.errors import DatabaseUnavailable


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
                f"{self._uri!r} names a file that another process has locked: stop that process, "
                "or open the file as file:///path/data.fs everywhere, which shares it"
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
            f"no ZEO server answers at {uri!r}: start it, or correct the address"
        ) from error
    except (OSError, POSError, ValueError) as error:
        raise DatabaseUnavailable(f"the database {uri!r} cannot be opened: {error}") from error
    except Exception as error:
        raise DatabaseUnavailable(
            f"the database {uri!r} cannot be opened: {type(error).__name__}: {error}"
        ) from error
