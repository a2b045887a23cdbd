"""The walk over the shelves: tasks in the shelves' own order, from any position on, not loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import total_ordering
from math import inf
from typing import Any, TypeAlias

from ZODB.utils import u64

from scheduler.clock import moment
from scheduler.inbox.spool import ADD
from scheduler.queue import BLOCKED_DUE, MICROSECONDS, NEVER_DUE, microseconds
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.shelved import Position, Shelved
from scheduler.shelves.task_filter import TaskFilter
from scheduler.storage.outage import is_transient
from scheduler.tasks.event import rank_of
from scheduler.tasks.occurrence import TaskOccurrence

RUNNING, SPOOLED, WAITING, PARKED, QUARANTINE, FAILED, FINISHED = range(7)

NEVER, BLOCKED = (int(due * MICROSECONDS) for due in (NEVER_DUE, BLOCKED_DUE))

SHELVES = {
    "running": (RUNNING,),
    "spooled": (SPOOLED,),
    "waiting": (WAITING, PARKED),
    "paused": (WAITING,),
    "blocked": (WAITING,),
    "quarantined": (QUARANTINE,),
    **dict.fromkeys(("failed", "terminated", "aborted"), (FAILED,)),
    "finished": (FINISHED,),
}
"""By a state, the shelves on which tasks in it stand."""

ShelfPosition: TypeAlias = tuple[Any, ...]


def walk(
    module: SchedulerModule,
    chosen: TaskFilter,
    behind: Position | None = None,
    *,
    has_spool: bool = True,
) -> Iterator[Shelved]:
    """Yield the tasks on the shelves of *module* that *chosen* may mean, *behind* a position.

    Waiting tasks come with the next one first, ended ones and occurrences with the newest first.
    Shelves and dates that *chosen* rules out are passed over, and `TaskFilter.allows` says the
    rest. The walk may be ended, and gone on with in a later transaction: a task that has moved
    on to a shelf behind is met again. Spooled tasks are left out unless it *has_spool*.
    """
    first, position = (0, None) if behind is None else (behind[0], behind[1:])
    shelves = range(FINISHED + 1) if chosen.state is None else SHELVES[chosen.state]
    for shelf in shelves:
        if shelf >= first and (has_spool or shelf != SPOOLED):
            yield from _WALKS[shelf](module, chosen, position if shelf == first else None)


def _running(
    module: SchedulerModule, _: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    last = -1 if behind is None else behind[0]
    for claim in module.running.claims():
        if claim.tid > last:
            task = module.running.task(claim.tid)
            yield Shelved((RUNNING, claim.tid), task, "running", moment(claim.since))


def _spooled(
    module: SchedulerModule, _: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    start = None if behind is None else (behind[0], behind[1], behind[2])
    for position, instruction in module.getSpool().behind(start):
        if instruction.op == ADD:
            yield Shelved((SPOOLED, *position), instruction.obj, "spooled", None)


def _waiting(
    module: SchedulerModule, chosen: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    start = _earliest(chosen) if behind is None else _bound(behind)
    last = _latest(chosen)
    for due, task, queue in module.queues.behind(start, chosen.queue):
        if due > last:
            return
        yield _due((WAITING, due, *_rank(task)), task, due, queue)


def _parked(
    module: SchedulerModule, _: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    start = None if behind is None else (*behind[:2], *_bound(behind[2:]))
    for key, level, due, task in module.backlog.parked_behind(start):
        yield _due((PARKED, key, level, due, *_rank(task)), task, due, None)


def _quarantine(
    module: SchedulerModule, _: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    for entry in module.quarantine.behind(0 if behind is None else behind[0]):
        position = QUARANTINE, entry.number
        yield Shelved(position, entry.obj, "quarantined", entry.since, entry.reason)


def _failed(
    module: SchedulerModule, chosen: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    return _ended(module.getFailedIndex(), FAILED, None, chosen, behind)


def _finished(
    module: SchedulerModule, chosen: TaskFilter, behind: ShelfPosition | None
) -> Iterator[Shelved]:
    return _ended(module.getFinishedIndex(), FINISHED, "finished", chosen, behind)


def _ended(
    index: TaskIndex,
    shelf: int,
    state: str | None,
    chosen: TaskFilter,
    behind: ShelfPosition | None,
) -> Iterator[Shelved]:
    until = None if chosen.until is None else (_microseconds(chosen.until) + 1,)
    since = 0 if chosen.since is None else _microseconds(chosen.since)
    for ended, element in index.before(until if behind is None else _bound(behind)):
        if ended < since:
            return
        task, occurrence = _parts(element)
        position = shelf, ended, *_rank(element)
        date = moment(ended / MICROSECONDS)
        yield Shelved(position, task, state, date, occurrence=occurrence)


def _parts(element: Any) -> tuple[Any, Any]:
    """Return the task of *element*, and the occurrence if it is one that can be read."""
    if not isinstance(element, TaskOccurrence):
        return element, None
    try:
        return element.getTask(), element
    except Exception as error:
        if is_transient(error):
            raise
        return element, None


def _due(position: Position, task: Any, due: int, queue: str | None) -> Shelved:
    if due >= BLOCKED:
        state = "paused" if due >= NEVER else "blocked"
        return Shelved(position, task, state, None, queue=queue)
    return Shelved(position, task, "waiting", moment(due / MICROSECONDS), queue=queue)


def _earliest(chosen: TaskFilter) -> ShelfPosition | None:
    if chosen.state in ("paused", "blocked"):
        return (NEVER if chosen.state == "paused" else BLOCKED,)
    return None if chosen.since is None else (_microseconds(chosen.since),)


def _latest(chosen: TaskFilter) -> float:
    if chosen.state in ("paused", "blocked"):
        return inf if chosen.state == "paused" else BLOCKED
    last = inf if chosen.until is None else _microseconds(chosen.until)
    return min(last, BLOCKED - 1) if chosen.state == "waiting" else last


def _microseconds(date: datetime) -> int:
    return microseconds(date.timestamp())


def _rank(element: Any) -> tuple[int, int]:
    """Return the rank of *element* in plain values: its task's number, and that of the run."""
    try:
        oid, _, run = rank_of(element)
    except Exception as error:
        if is_transient(error):
            raise
        return u64(element._p_oid), 0
    return u64(oid), run


def _bound(position: ShelfPosition) -> ShelfPosition:
    moment_, number, run = position
    return moment_, _Bound((number, run))


@total_ordering
class _Bound:
    """Stands among tasks and occurrences where the one with this rank does, or stood."""

    def __init__(self, rank: tuple[int, int]) -> None:
        self._rank = rank

    def __lt__(self, other: object) -> bool:
        return self._rank < _rank(other)

    def __eq__(self, other: object) -> bool:
        return self._rank == _rank(other)

    __hash__ = None  # type: ignore[assignment]


_WALKS: tuple[
    Callable[[SchedulerModule, TaskFilter, ShelfPosition | None], Iterator[Shelved]], ...
] = (
    _running,
    _spooled,
    _waiting,
    _parked,
    _quarantine,
    _failed,
    _finished,
)
