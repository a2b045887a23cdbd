"""The unit of work: a short transaction of its own that is repeated after a conflict."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

import transaction
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.storage.outage import abort_quietly
from scheduler.store.current import using
from scheduler.values.legible import legible

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 10


def transact(
    database: DB,
    work: Callable[[Connection], Result],
    *,
    note: str = "",
    attempts: int = ATTEMPTS,
) -> Result:
    """Run *work* on a connection of its own, commit, and return what it returned.

    The connection is the current one meanwhile. A transient error (a conflict) aborts and
    repeats the work, which therefore must not act on anything but the database; after
    *attempts* the last one is raised. Any other error aborts and is raised at once, also
    OutcomeUnknown, after which the work may or may not be committed.
    *note* becomes the transaction's description.
    """
    manager = transaction.TransactionManager(explicit=True)
    connection = database.open(transaction_manager=manager)
    try:
        with using(connection):
            return _repeat(manager, lambda: work(connection), note, attempts)
    finally:
        connection.close()


def _repeat(
    manager: transaction.TransactionManager,
    work: Callable[[], Result],
    note: str,
    attempts: int,
) -> Result:
    for attempt in range(1, attempts + 1):
        unit = manager.begin()
        if note:
            unit.note(legible(note))
        try:
            result = work()
            manager.commit()
        except TransientError as error:
            abort_quietly(manager)
            if attempt == attempts:
                raise
            log.debug("attempt %d of unit of work %r failed: %s", attempt, note, error)
            time.sleep(backoff(attempt))
        except BaseException:
            abort_quietly(manager)
            raise
        else:
            return result
    raise ValueError(f"attempts must be at least 1, not {attempts}")


def backoff(attempt: int) -> float:
    """Return the seconds to wait before trying again after *attempt* conflicts."""
    return random.uniform(0, min(0.5, 0.002 * 2**attempt))  # noqa: S311 (jitter is no secret)
