"""The current connection: the default of calls that are given none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.errors import NoConnectionError
from scheduler.store.observed import adopt

Offer = Callable[[], Connection]

_current: ContextVar[Connection | Offer | None] = ContextVar("zodb_connection", default=None)


@contextmanager
def using(connection: Connection | Persistent) -> Iterator[Connection]:
    """Make *connection* the current one inside the block, in this thread or task only."""
    connection = connection_of(connection)
    adopt(connection)
    token = _current.set(connection)
    try:
        yield connection
    finally:
        _current.reset(token)


@contextmanager
def offering(offer: Offer) -> Iterator[None]:
    """Make the connection that *offer* returns the current one, opened where it is asked for."""
    token = _current.set(offer)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Connection:
    """Return the current connection; raises NoConnectionError without one."""
    found = _current.get()
    if found is None:
        raise NoConnectionError
    return found if isinstance(found, Connection) else found()


def connection_of(source: Connection | Persistent | None) -> Connection:
    """Return the connection that *source* is or is stored in; the current one for None.

    Raises NoConnectionError for an object that is not stored, when nothing is current either.
    """
    if source is None:
        return current()
    if isinstance(source, Connection):
        return source
    return source._p_jar if source._p_jar is not None else current()
