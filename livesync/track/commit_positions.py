"""Milestones: up to which position the changes of all transactions so far stand on the track."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from BTrees.LOBTree import LOBTree
from persistent import Persistent
from persistent.TimeStamp import TimeStamp
from ZODB.utils import p64

from scheduler.store import Schema
from scheduler.store.position import number_at

SECONDS_KEPT = 3600
DROPPED_AT_ONCE = 10


class CommitPositions(Persistent):
    """Positions by the number of a transaction: all changes up to it stand there or before.

    Those of the last hour are kept. Conflict behaviour: written by sequencers, which conflict
    with each other anyway.
    """

    def __init__(self) -> None:
        self._positions = LOBTree()

    def put(self, tid: int, position: int) -> None:
        """Note that all changes up to transaction *tid* stand at *position* or before."""
        self._positions[tid] = position
        for old in list(islice(self._positions.keys(max=_earlier(tid)), DROPPED_AT_ONCE)):
            del self._positions[old]

    def goal(self, tid: int) -> int | None:
        """Return a position at or before which all changes up to transaction *tid* stand.

        None where that is not known yet: they have not been put in order.
        """
        return next(iter(self._positions.values(tid)), None)


SCHEMA = Schema("milestones", 1, CommitPositions)


def _earlier(tid: int) -> int:
    seconds = TimeStamp(p64(tid)).timeTime() - SECONDS_KEPT
    return number_at(datetime.fromtimestamp(seconds, UTC))
