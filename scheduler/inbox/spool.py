"""The spool: the conflict-safe FIFO of instructions from clients to the scheduler."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.errors import SchedulerUnknownOperationException
from scheduler.leadership.roster import office_of
from scheduler.log.append_log import AppendLog, UnreadablePage
from scheduler.store import Schema

ADD = "add"
DELETE = "del"
LEAVE = "leave"
CHANGE = "change"
CANCEL = "cancel"
PAUSE = "pause"
RESUME = "resume"
RESCHEDULE = "reschedule"
RECLAIM = "reclaim"
LIMIT = "limit"
FOLLOW = "follow"
SHUTDOWN = "shutdown"
# What is taken in the place of instructions that cannot be read: the page that they stand on.
PAGE = "page"
OPERATIONS = frozenset(
    {
        ADD,
        DELETE,
        LEAVE,
        CHANGE,
        CANCEL,
        PAUSE,
        RESUME,
        RESCHEDULE,
        RECLAIM,
        LIMIT,
        FOLLOW,
        SHUTDOWN,
    }
)

_PLAIN = frozenset(
    {type(None), bool, int, float, str, bytes, datetime, date, time, timedelta, timezone, ZoneInfo}
)


class Instruction(NamedTuple):
    """One instruction: the operation and its object."""

    op: str
    obj: Any
    given: float = 0
    """When a shutdown was given, since 1970."""
    meant_for: str | None = None
    """The token of the scheduler that ran then, if one did."""


class Spool(Persistent):
    """A FIFO of `(op, obj)` pairs; any number of writers, one reader, no conflicts."""

    max_size: float = 16
    """How many MB a task may take: the setting `task_max_size` of the scheduler that led last."""

    def __init__(self) -> None:
        self._lanes = AppendLog()

    def put(self, op: str, obj: Any) -> None:
        """Add an instruction in the caller's transaction.

        Raises SchedulerUnknownOperationException here, and not in the scheduler that would meet
        it. Raises TypeError for an object that is neither persistent nor plain data: a later
        release may lack its class, and could not read what is stored with it.
        """
        if op not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            raise SchedulerUnknownOperationException(f"{op!r} is no operation; known are {known}")
        _check(obj)
        self._lanes.append((op, obj, *self._address()) if op == SHUTDOWN else (op, obj))

    def take(self, limit: int) -> list[Instruction]:
        """Remove and return the oldest instructions, at most *limit*."""
        try:
            return [Instruction(*entry) for entry in self._lanes.drain(limit)]
        except UnreadablePage as error:
            self._lanes.skip(error.name, error.last)
            return [Instruction(PAGE, error.page)]

    def undone(self) -> list[Instruction]:
        """Return the instructions that were taken and whose transactions were undone since.

        Each is returned once.
        """
        return [Instruction(*entry) for entry in self._lanes.revoked()]

    def has_undone(self) -> bool:
        """Say whether `undone` has something to return."""
        return self._lanes.has_revoked()

    def clear(self) -> int:
        """Remove all instructions, return how many there were."""
        return self._lanes.clear()

    def tend(self) -> None:
        """Remove what processes that are gone have left behind."""
        self._lanes.tend()

    def _address(self) -> tuple[float, str | None]:
        if self._p_jar is None:
            return clock.time(), None
        office = office_of(self._p_jar)
        return clock.time(), office.token if office.is_taken() else None

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        try:
            yield from ((entry[0], entry[1]) for entry in self._lanes.pending())
        except UnreadablePage as error:
            yield PAGE, error.page  # the rest is seen once it has been taken

    def __len__(self) -> int:
        return len(self._lanes)

    def __bool__(self) -> bool:
        return bool(self._lanes)


def _check(obj: Any) -> None:
    if isinstance(obj, tuple | list):
        for part in obj:
            _check(part)
    elif isinstance(obj, dict):
        _check((*obj, *obj.values()))
    elif type(obj) not in _PLAIN and not isinstance(obj, Persistent):
        raise TypeError(
            f"{obj!r} cannot be a part of an instruction: give a persistent object or plain data"
        )


BRANCH = Schema("spool", 1, Spool)


def spool_of(connection: Connection) -> Spool:
    """Return the spool of the database that *connection* is to."""
    return BRANCH.get(connection)
