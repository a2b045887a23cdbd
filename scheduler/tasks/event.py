"""Timed events: what tasks and the records of their runs have in common."""

from __future__ import annotations

from datetime import datetime
from functools import total_ordering
from typing import Any, TypeAlias

from persistent import Persistent
from ZODB.broken import PersistentBroken

from scheduler.clock import moment

Rank: TypeAlias = tuple[bytes, int, int]


@total_ordering
class TimedEvent(Persistent):
    """The base class of tasks and occurrences: when they ran, and their order.

    A task stands before its occurrences, and these before the next task; None stands first.
    """

    # Moments are seconds since 1970: a number is stored and loaded far faster than a datetime.
    _started: float | None = None
    _ended: float | None = None

    def getStartedOn(self) -> datetime | None:
        """Return when the last run began, in UTC."""
        return None if self._started is None else moment(self._started)

    def getEndedOn(self) -> datetime | None:
        """Return when the last run ended, in UTC; None before the first one has."""
        return None if self._ended is None else moment(self._ended)

    def _rank(self) -> Rank:
        """Return what it is ordered by: the task's object id, a number in its place, the run."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is ordered")

    def __lt__(self, other: object) -> bool:
        if other is None:
            return False
        if not isinstance(other, TimedEvent | PersistentBroken):  # the latter has lost its class
            return NotImplemented
        return rank_of(self) < rank_of(other)

    # Identity: a connection has one object for a stored task. (total_ordering needs it said.)
    __eq__ = object.__eq__
    __hash__ = Persistent.__hash__


def rank_of(element: Any) -> Rank:
    """Return the rank of *element*; a task is not loaded for this."""
    if isinstance(element, PersistentBroken):
        return element._p_oid or b"", 0, 0
    rank: Rank = type(element)._rank(element)  # noqa: SLF001 (of TimedEvent, above)
    return rank
