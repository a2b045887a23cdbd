"""Commits: those during which the connection is lost, and those that are lazy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transaction import Transaction
from transaction.interfaces import TransientError
from ZEO.ClientStorage import ClientStorage
from ZEO.Exceptions import ClientDisconnected
from ZODB.Connection import Connection, TransactionMetaData
from ZODB.utils import maxtid

from scheduler.errors import CommitInterrupted, OutcomeUnknown
from scheduler.storage.internals import ask_server
from scheduler.storage.outage import is_away

# Seconds to wait for the server, to ask it for the outcome of a commit; and between two attempts.
ASKING_SECONDS = 10.0
ASKING_PAUSE = 0.1

_LAZY = object()


@contextmanager
def nothing_stored() -> Iterator[None]:
    """Raise CommitInterrupted if the database is lost in the block, which stores nothing."""
    try:
        yield
    except Exception as error:
        if not is_away(error) or isinstance(error, CommitInterrupted):
            raise
        raise _interrupted() from error


@contextmanager
def last_step(storage: Any, serials: Callable[[], dict[bytes, bytes]]) -> Iterator[None]:
    """Find the outcome of a commit if the database is lost in the block, its last step.

    *serials* returns those of the changed objects before the commit. Raises CommitInterrupted if it
    is not stored, OutcomeUnknown if that is unknown.
    """
    try:
        yield
    except Exception as error:
        if not is_away(error):
            raise
        if _is_as_before(storage, serials()):
            raise _interrupted() from error
        raise OutcomeUnknown(
            "the database went away at the very end of a commit, which may be stored or not: look "
            "for what it writes before it is done again"
        ) from error


def commit_lazily(unit: Transaction) -> None:
    """Allow the commit of *unit* to return before it is on the disk.

    It comes there with the next one. For what is done again if it is lost in a power cut, and
    with it all that was built on it.
    """
    unit.set_data(_LAZY, True)


def is_lazy(unit: Transaction) -> bool:
    """Return whether the commit of *unit* need not be on the disk when it returns."""
    try:
        return bool(unit.data(_LAZY))
    except KeyError:
        return False


def reach_disk(connection: Connection) -> None:
    """Return when all that *connection* sees is on the disk, lazy commits included."""
    reach = getattr(connection.db().storage, "reach_disk", None)
    if reach is not None:
        reach()


def _interrupted() -> CommitInterrupted:
    return CommitInterrupted(
        "the database went away in the middle of a commit; nothing of it is stored: do it again"
    )


def _is_as_before(storage: Any, serials: dict[bytes, bytes]) -> bool:
    """Return whether an object has its serial from before the commit."""
    if not isinstance(storage, ClientStorage) or not serials:
        return False
    oid, serial = next(iter(serials.items()))
    deadline = time.monotonic() + ASKING_SECONDS
    while time.monotonic() < deadline:
        try:
            return _current_serial(storage, oid) == serial
        except ClientDisconnected:
            time.sleep(ASKING_PAUSE)
        except TransientError:
            return False
    return False


def _current_serial(storage: ClientStorage, oid: bytes) -> bytes:
    # Asked under the commit lock: a server that has not noticed yet that its client was cut off
    # may still have the last message of the commit before it. Not from the client's cache.
    transaction = TransactionMetaData()
    storage.tpc_begin(transaction)
    try:
        storage.tpc_vote(transaction)
        _, serial, _ = ask_server(storage, "loadBefore", oid, maxtid)
    finally:
        storage.tpc_abort(transaction)
    current: bytes = serial
    return current
