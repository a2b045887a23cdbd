"""Retention: what has ended leaves its index when it is too old, or when there are too many."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from ZODB.Connection import Connection

from scheduler import states
from scheduler.clock import nowutc
from scheduler.leadership.lease import Lease
from scheduler.settings import Settings
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.module import SchedulerModule
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of
from scheduler.tasks.attempt import moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.options import option_of
from scheduler.tasks.recurring import RecurringTask
from scheduler.values.retention_policy import Keep

log = logging.getLogger(__name__)

STEP = 500
STEP_SECONDS = 0.1
REST_SECONDS = 60.0
# The rest until the next sweep, as a multiple of the time that the last one took.
REST_FACTOR = 100
# Seconds between two looks, while there is work, whether a shelf has grown over its limit since the
# last sweep; and the part of the limit by which it may.
TRIM_SECONDS = 5.0
SLACK = 0.05


class _Cursor(NamedTuple):
    """How far a sweep has come: on which shelf, before which moment, and what it has kept."""

    shelf: int = 0
    before: float | None = None
    kept: Mapping[str | None, int] = MappingProxyType(
        {}
    )  # by name; None for all without a limit of their own


class Pruner:
    """Sweeps through the indexes of ended runs, each from the newest to the oldest.

    A sweep takes small steps, each a transaction that looks at some 500 elements, and rests for
    long after it. An index that has grown over its limit meanwhile is trimmed from the oldest on,
    as long as what ends has no limit of its own: such elements are for the sweep. A removed task
    is in state NONE and no longer found by its number; objects that refer to it still have it, as
    recurring tasks have their last occurrences.
    """

    def __init__(self, lease: Lease, settings: Settings) -> None:
        self._lease = lease
        self._limits = (
            ("keepFinished", Keep(settings.keep_finished, settings.keep_finished_count)),
            ("keepFailed", Keep(settings.keep_failed, settings.keep_failed_count)),
        )
        self._place = _Cursor()
        self._next = 0.0
        self._worked = 0.0
        self._limited: dict[int, int] = {}  # by shelf: how many have a limit of their own
        self._next_trim = 0.0
        self._is_over = False

    def step(self) -> None:
        """Take the sweep's next step, or trim what has grown too long, if it is time for that."""
        if time.monotonic() >= self._next:
            self._step()
        elif time.monotonic() >= self._next_trim:
            self._next_trim = time.monotonic() + TRIM_SECONDS
            self._is_over = self._lease.transact(self._trim, note="scheduler: retention")
            if self._is_over:
                self._next_trim = time.monotonic() + STEP_SECONDS

    def _step(self) -> None:
        began = time.monotonic()
        self._next = began + REST_SECONDS  # should it fail
        self._place = self._lease.transact(self._sweep, note="scheduler: retention")
        now = time.monotonic()
        self._worked += now - began
        self._next = now + STEP_SECONDS
        if self._place == _Cursor():
            self._next = now + max(REST_SECONDS, REST_FACTOR * self._worked)
            self._worked = 0.0

    def rest(self) -> float:
        """Return for how many seconds there is nothing to do."""
        soonest = min(self._next, self._next_trim) if self._is_over else self._next
        return max(0.0, soonest - time.monotonic())

    def _sweep(self, connection: Connection) -> _Cursor:
        place = self._place
        index = _indexes(connection)[place.shelf]
        kept, before = Counter(place.kept), place.before
        for number, (ended, element) in enumerate(index.newest(before)):
            if number >= STEP and ended != before:
                return _Cursor(place.shelf, before, kept)
            before = ended
            try:
                self._look_at(index, place.shelf, moment(ended), element, kept)
            except Exception as error:
                if is_transient(error):
                    raise
                log.warning("an ended task is kept, as it cannot be read: %s", reason_of(error))
        self._limited[place.shelf] = kept.total() - kept[None]
        return _Cursor(1) if place.shelf == 0 else _Cursor()

    def _trim(self, connection: Connection) -> bool:
        """Remove the oldest of an index that is too long; return whether there may be more."""
        return any(self._trim_shelf(*each) for each in enumerate(_indexes(connection)))

    def _trim_shelf(self, which: int, index: TaskIndex) -> bool:
        name, limit = self._limits[which]
        allowed = limit.count + max(STEP, limit.count * SLACK) + self._limited.get(which, math.inf)
        newest = (element for _, element in islice(index.newest(), STEP))
        if len(index) <= allowed or any(_has_own_limit(name, element) for element in newest):
            return False
        before = len(index)
        for ended, element in list(islice(index.items(), STEP)):
            if not _has_own_limit(name, element):
                _remove(index, moment(ended), element)
        return len(index) < before

    def _look_at(
        self,
        index: TaskIndex,
        which: int,
        ended: datetime,
        element: Any,
        kept: Counter[str | None],
    ) -> None:
        name, limit = self._limits[which]
        task = _task_of(element)
        own = _own_limit(name, task)
        kind = None if own is None else name_of(task)
        if (own or limit).allows((nowutc() - ended).total_seconds(), kept[kind]):
            kept[kind] += 1
            return
        _remove(index, ended, element)


def _remove(index: TaskIndex, ended: datetime, element: Any) -> None:
    task = _task_of(element)
    index.remove(ended, element)
    try:
        if element is task or _is_last(element, task):
            module = SchedulerModule.getDBInstance(index)
            TaskHandle(task).forget()
            module.forget_follower(task)
            module.unique.release(task)
    except Exception as error:
        if is_transient(error):
            raise
        why = reason_of(error)
        log.warning("an ended task cannot be loaded, and is forgotten as it is: %s", why)


def _indexes(connection: Connection) -> tuple[TaskIndex, TaskIndex]:
    module = SchedulerModule.getDBInstance(connection)
    return module.getFinishedIndex(), module.getFailedIndex()


def _has_own_limit(name: str, element: Any) -> bool:
    """Return whether *element* is not for a trim; one that cannot be read is not."""
    try:
        task = _task_of(element)
    except Exception as error:
        if is_transient(error):
            raise
        return True
    return _own_limit(name, task) is not None


def _own_limit(name: str, task: Any) -> Keep | None:
    """Return the limit that the class of *task* sets, or its function, if that can be imported."""
    try:
        limit: Keep | None = option_of(task, name)
    except Exception as error:
        if is_transient(error):
            raise
        return None
    return limit


def _task_of(element: Any) -> Any:
    """Return the task that *element* is or belongs to; None where its class is gone."""
    # The class of a task is known without loading it.
    if isinstance(element, BaseTask):
        return element
    return element.getTask() if isinstance(element, TaskOccurrence) else None


def _is_last(occurrence: Any, task: Any) -> bool:
    """Say whether *task* does not come back, and this *occurrence* was its last."""
    if not isinstance(task, RecurringTask) or TaskHandle(task).status not in states.ENDED:
        return False
    return task.getOccurrences()[-1:] == [occurrence]
