"""The spool: the conflict-safe FIFO of instructions from clients to the scheduler."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.errors import SchedulerUnknownOperationException
from scheduler.leadership.roster import roster_of
from scheduler.log.append_log import AppendLog, LogPosition
from scheduler.log.segment import UnreadablePage
from scheduler.store import Schema
from scheduler.store.sealed_value import SealedValue

ADD = "add"
DELETE = "del"
LEAVE = "leave"
CHANGE = "change"
PRIORITIZE = "prioritize"
CANCEL = "cancel"
PAUSE = "pause"
RESUME = "resume"
RESCHEDULE = "reschedule"
BACKFILL = "backfill"
BULK = "bulk"
ENDED = "ended"
CANCEL_FLOW = "cancel flow"
RECLAIM = "reclaim"
LIMIT = "limit"
SIGNAL = "signal"
FOLLOW = "follow"
REPAIR = "repair"
RELOAD = "reload"
SHUTDOWN = "shutdown"
CLEARED_AT_ONCE = 1000
# The operation that stands for unreadable instructions; its object is their page.
PAGE = "page"
OPERATIONS = frozenset(
    {
        ADD,
        DELETE,
        LEAVE,
        CHANGE,
        PRIORITIZE,
        CANCEL,
        PAUSE,
        RESUME,
        RESCHEDULE,
        BACKFILL,
        BULK,
        ENDED,
        CANCEL_FLOW,
        RECLAIM,
        LIMIT,
        SIGNAL,
        FOLLOW,
        REPAIR,
        RELOAD,
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
    """The time of a shutdown instruction (Unix seconds)."""
    meant_for: str | None = None
    """The token of the scheduler that led then, if one did."""


class Spool(Persistent):
    """A FIFO of `(op, obj)` pairs; any number of writers, one reader, no conflicts."""

    max_size: float = 16
    """The largest size of a task in MB: the setting `task_max_size` of the last leader."""

    def __init__(self) -> None:
        self._log = AppendLog()

    def put(self, op: str, obj: Any) -> None:
        """Add an instruction in the caller's transaction.

        Raises SchedulerUnknownOperationException here rather than in the scheduler. Raises
        TypeError for an object that is neither persistent nor plain data: a later release may
        lack its class, and could not read the page.
        """
        if op not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            raise SchedulerUnknownOperationException(f"{op!r} is no operation; known are {known}")
        check_part(obj)
        self._log.append((op, obj, *self._address()) if op == SHUTDOWN else (op, obj))

    def take(self, limit: int) -> list[Instruction]:
        """Remove and return the oldest instructions, at most *limit*."""
        try:
            return [Instruction(*entry) for entry in self._log.drain(limit)]
        except UnreadablePage as error:
            return [Instruction(PAGE, self._log.skip(error))]

    def undone(self) -> list[Instruction]:
        """Return the taken instructions whose transactions were undone since, each once."""
        return [Instruction(*entry) for entry in self._log.revoked()]

    def has_undone(self) -> bool:
        """Return whether `undone` would return instructions."""
        return self._log.has_revoked()

    def clear(self) -> int:
        """Remove all instructions; return their number. An unreadable page counts as one."""
        count = 0
        while taken := self.take(CLEARED_AT_ONCE):
            count += len(taken)
        return count

    def mend(
        self, is_sound: Callable[[Persistent], bool], is_itself_sound: Callable[[Persistent], bool]
    ) -> bool:
        """Put in order what cannot be read; False where the log itself cannot.

        *is_sound* says whether a part can be read with all that it consists of,
        *is_itself_sound* whether the object itself can.
        """
        if not is_itself_sound(self._log):
            return False
        self._log.mend(is_sound)
        return True

    def tend(self) -> None:
        """Remove the drained segments of processes that have ended."""
        self._log.tend()

    def _address(self) -> tuple[float, str | None]:
        if self._p_jar is None:
            return clock.time(), None
        roster = roster_of(self._p_jar)
        return clock.time(), roster.token if roster.is_taken() else None

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        try:
            yield from ((entry[0], entry[1]) for entry in self._log.pending())
        except UnreadablePage as error:
            yield PAGE, error.page  # the rest is seen once it has been taken

    def behind(self, position: LogPosition | None) -> Iterator[tuple[LogPosition, Instruction]]:
        """Yield instructions with their positions behind *position*, up to an unreadable page."""
        try:
            for found, entry in self._log.positioned(position):
                yield found, Instruction(*entry)
        except UnreadablePage:
            return  # the rest is seen once it has been taken

    def __len__(self) -> int:
        return len(self._log)

    def __bool__(self) -> bool:
        return bool(self._log)


def check_part(obj: Any) -> None:
    """Raise TypeError where *obj* cannot be a part of an instruction."""
    if isinstance(obj, tuple | list):
        for part in obj:
            check_part(part)
    elif isinstance(obj, dict):
        check_part((*obj, *obj.values()))
    elif type(obj) not in _PLAIN and not isinstance(obj, Persistent | SealedValue):
        raise TypeError(
            f"{obj!r} cannot be a part of an instruction: give a persistent object or plain data"
        )


SCHEMA = Schema("spool", 1, Spool)


def spool_of(connection: Connection) -> Spool:
    """Return the spool in the database of *connection*."""
    return SCHEMA.get(connection)
