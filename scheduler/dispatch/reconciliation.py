"""Reconciliation: the running list is compared with what the executor holds."""

from __future__ import annotations

import logging
import time

from ZODB.Connection import Connection

from scheduler.executors import Executor
from scheduler.shelves.module import SchedulerModule

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 5.0


class Reconciliation:
    """Gives out again the claims that are in force, and that nobody works on.

    The executor says what it holds, reports that were not collected included; a claim counts
    as forgotten when it was missing there twice in a row.
    """

    def __init__(self, executor: Executor, connection: Connection) -> None:
        self._executor = executor
        self._connection = connection
        self._missing: set[int] = set()
        self._next = time.monotonic() + RECONCILE_SECONDS

    def rest(self) -> float:
        """Return for how many seconds there is nothing to compare."""
        return max(0.0, self._next - time.monotonic())

    def step(self) -> None:
        """Compare, and give out again what is forgotten, if it is time for that."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + RECONCILE_SECONDS
        unit = self._connection.transaction_manager.begin()
        claims = SchedulerModule.getDBInstance(self._connection).running.claims()
        unit.abort()
        held = self._executor.holds()
        missing = [claim for claim in claims if claim.number not in held]
        forgotten = [claim for claim in missing if claim.number in self._missing]
        self._missing = {claim.number for claim in missing if claim not in forgotten}
        for claim in forgotten:
            log.warning(
                "task %d: no worker holds claim %d; it is given out again", claim.tid, claim.number
            )
        self._executor.submit(forgotten)
