"""Observed connections: each of their commits calls the observer that the database names.

The observer is stored with the data, so that the commits of all processes are observed, whatever
modules these have imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import z64

from scheduler.errors import NotObserved
from scheduler.storage.internals import for_each_connection, has_joined
from scheduler.store.moved import install
from scheduler.values.named_object import named_object

ROOT_KEY = "relay"
PART = "watched"
"""The part of the stored layout whose object has the attribute `observer`, `module:class`."""


class CommitObserver(Protocol):
    """An observer of one commit, made when it begins: `observer(connection, transaction)`."""

    def record(self) -> None:
        """Add to the commit, before its objects are given to the storage."""


class ObservedConnection(Connection):
    """A connection whose commits are observed."""

    _observer: CommitObserver | None = None

    def tpc_begin(self, transaction: Any) -> None:
        """Begin to commit."""
        name = _observer_of(self)
        self._observer = named_object(name)(self, transaction) if name else None
        super().tpc_begin(transaction)

    def commit(self, transaction: Any) -> None:
        """Give the changes to the storage."""
        if self._observer is not None:
            self._observer.record()
        super().commit(transaction)


_names: WeakKeyDictionary[DB, str] = WeakKeyDictionary()
_databases: WeakSet[DB] = WeakSet()
_callbacks: list[Callable[[DB], None]] = []


def name_observer(database: DB, name: str) -> None:
    """Have *name* observe commits that began before it was stored, in this process."""
    _names[database] = name


def databases() -> list[DB]:
    """Return the databases that are open in this process and known to this software."""
    # A database that is closed has a `close` of its own, which does nothing.
    return [database for database in _databases if "close" not in vars(database)]


def on_open(call: Callable[[DB], None]) -> None:
    """Call *call* with each database that is opened, or known, from now on; once, if repeated."""
    if call not in _callbacks:
        _callbacks.append(call)


def announce(database: DB) -> None:
    """Take *database* in among those that are known, and announce it."""
    _databases.add(database)
    for call in _callbacks:
        call(database)


def adopt(connection: Connection) -> None:
    """Make the database of *connection* find moved classes, and its commits observed.

    Repeated calls cost nothing. *connection* sees the observer at once, where it has no changes.
    """
    database = connection.db()
    install(database)
    if not issubclass(database.klass, ObservedConnection):
        observe(database)
        if not has_joined(connection):
            connection.newTransaction(None)


def observe(database: DB) -> None:
    """Make the connections of *database*, also open ones, observed; repeated calls cost nothing.

    Raises NotObserved if their class does not allow that.
    """
    if issubclass(database.klass, ObservedConnection):
        return
    observed = _observed(database.klass)
    database.klass = observed

    def turn(connection: Connection) -> None:
        connection.__class__ = observed

    try:
        for_each_connection(database, turn)
    except TypeError as error:
        raise NotObserved(
            f"open connections of {database.getName()!r} cannot be made to record changes "
            f"({error}): call livesync.watching.install(database) before the first is opened"
        ) from None
    announce(database)


def _observer_of(connection: Connection) -> str | None:
    parts = connection.get(z64).get(ROOT_KEY)
    entry = parts and parts.get(PART)
    if entry:
        name: str = entry[1].observer
        return name
    return _names.get(connection.db())


@cache
def _observed(kind: type[Connection]) -> type[Connection]:
    if kind is Connection:
        return ObservedConnection
    return type(f"Observed{kind.__name__}", (ObservedConnection, kind), {})
