"""The running list: the tasks that are with a worker, each with its claim."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from BTrees.Length import Length
from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from scheduler.clock import EARLIEST, LATEST
from scheduler.storage.outage import is_transient
from scheduler.store import Schema
from scheduler.store.missing_class import reason_of

log = logging.getLogger(__name__)


class Claim(NamedTuple):
    """A task given to a worker: the task's number, the claim's own, and when (since 1970)."""

    tid: int
    number: int
    since: float


class RunningList(Persistent):
    """The tasks given to workers.

    Claims are numbered upwards for ever: a task remembers the last one that ended, so that the
    holder of an older one knows that it has lost the task. Conflict behaviour: the leader alone
    writes it.
    """

    def __init__(self) -> None:
        self._claims = LOBTree()  # task's number -> (task, claim's number, since)
        self._length = Length()
        self._last = 0
        self._progress = LOBTree()  # task's number -> (part from 0 to 1, text)

    @property
    def last_number(self) -> int:
        """The number of the last claim."""
        return self._last

    def go_on_after(self, number: int) -> None:
        """Give the next claims numbers greater than *number*."""
        self._last = max(self._last, number)

    def add(self, task: Any, since: float) -> Claim:
        """Add *task* to the list and return its claim."""
        tid = u64(task._p_oid)
        self._last += 1
        self._claims[tid] = (task, self._last, since)
        self._length.change(1)
        return Claim(tid, self._last, since)

    def remove(self, tid: int) -> Any:
        """Take the task with number *tid* off the list and return it; KeyError if unknown."""
        task = self._task_in(tid, self._claims.pop(tid))
        self._length.change(-1)
        if tid in self._progress:
            del self._progress[tid]
        return task

    def claim(self, tid: int) -> Claim | None:
        """Return the claim on the task with number *tid*, None when it is not on the list."""
        entry = self._claims.get(tid)
        return None if entry is None else self._claim_in(tid, entry)

    def task(self, tid: int) -> Any:
        """Return the task with number *tid*; KeyError when it is not on the list."""
        return self._task_in(tid, self._claims[tid])

    def note_progress(self, claim: Claim, fraction: float, message: str) -> None:
        """Store the progress of the attempt on *claim*; nothing if the claim has ended."""
        if self.claim(claim.tid) == claim:
            self._progress[claim.tid] = (fraction, message)

    def progress(self, tid: int) -> tuple[float, str] | None:
        """Return the progress of task *tid*; None if it has reported none."""
        noted: tuple[float, str] | None = self._progress.get(tid)
        return noted

    def claims(self) -> list[Claim]:
        """Return all claims, by task."""
        return [self._claim_in(tid, entry) for tid, entry in self._claims.items()]

    def __contains__(self, tid: int) -> bool:
        return tid in self._claims

    def __iter__(self) -> Iterator[Any]:
        return (self._task_in(tid, entry) for tid, entry in self._claims.items())

    def __len__(self) -> int:
        count: int = self._length()
        return count

    def _claim_in(self, tid: int, entry: Any) -> Claim:
        """Return the claim in *entry*; the newest possible claim if the entry is damaged."""
        if self._is_sound(entry):
            return Claim(tid, entry[1], entry[2])
        return Claim(tid, self._last, 0.0)

    def _task_in(self, tid: int, entry: Any) -> Any:
        """Return the task in *entry*; None if the entry is damaged and the task not found."""
        if self._is_sound(entry):
            return entry[0]
        try:
            return self._p_jar.get(p64(tid))
        except Exception as error:
            if is_transient(error):
                raise
            log.warning(
                "task %d has a damaged claim and cannot be found: %s", tid, reason_of(error)
            )
            return None

    def _is_sound(self, entry: Any) -> bool:
        if not isinstance(entry, tuple) or len(entry) != len(Claim._fields):
            return False
        task, number, since = entry
        is_given = type(number) is int and 0 < number <= self._last
        return is_given and isinstance(task, Persistent) and _is_date(since)


def _is_date(value: Any) -> bool:
    return isinstance(value, int | float) and EARLIEST <= value <= LATEST


SCHEMA = Schema("running", 1, RunningList)


def running_list(connection: Connection) -> RunningList:
    """Return the running list in the database of *connection*."""
    return SCHEMA.get(connection)


def is_running(task: Persistent) -> bool:
    """Return whether *task* is with a worker."""
    if task._p_jar is None or task._p_oid is None:
        return False
    return u64(task._p_oid) in running_list(task._p_jar)
