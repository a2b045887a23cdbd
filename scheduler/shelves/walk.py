"""The walk over the shelves: all tasks of a module, from any position on, without loading them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from scheduler.clock import moment
from scheduler.inbox.spool import ADD
from scheduler.queue import MICROSECONDS, NEVER_DUE
from scheduler.shelves.module import SchedulerModule
from scheduler.tasks.base import BaseTask

Position: TypeAlias = tuple[Any, ...]
"""The number of a shelf, and a place on it; plain values and tasks."""

RUNNING, WAITING, NAMED, PARKED, FAILED, FINISHED, QUARANTINE = range(7)


class Shelved(NamedTuple):
    """A task on a shelf."""

    position: Position
    task: Any
    state: str | None
    """The word for its state; None for one whose record tells how it has ended."""

    date: datetime | None
    """When it is due, was given to a worker, or ended."""

    reason: str = ""
    """Why it is in quarantine."""


def walk(module: SchedulerModule, behind: Position | None = None) -> Iterator[Shelved]:
    """Yield the tasks on the shelves of *module*, *behind* a position that was yielded before.

    The walk may be ended, and gone on with in a later transaction: a task that has moved on
    to a shelf behind is met again.
    """
    start, place = (RUNNING, None) if behind is None else (behind[0], behind[1:])
    for shelf in range(start, QUARANTINE + 1):
        yield from _walks[shelf](module, place if shelf == start else None)


def spooled(module: SchedulerModule) -> Iterator[Shelved]:
    """Yield the tasks in the spool, which the scheduler has not taken up yet."""
    for op, task in module.getSpool():
        if op == ADD and isinstance(task, BaseTask):
            yield Shelved((), task, "spooled", None)


def _running(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    last = -1 if behind is None else behind[0]
    for claim in list(module.running.claims()):
        if claim.tid > last:
            task = module.running.task(claim.tid)
            yield Shelved((RUNNING, claim.tid), task, "running", moment(claim.since))


def _waiting(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    for due, task in module.getWaitingQueue().behind(behind):
        yield _due((WAITING, due, task), task, due)


def _named(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    for place in module.backlog.behind(behind):
        yield _due((NAMED, *place), place[-1], place[-2])


def _parked(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    for place in module.backlog.parked_behind(behind):
        yield _due((PARKED, *place), place[-1], place[-2])


def _failed(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    for ended, task in module.getFailedIndex().behind(behind):
        if isinstance(task, BaseTask):
            yield Shelved((FAILED, ended, task), task, None, moment(ended / MICROSECONDS))


def _finished(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    for ended, task in module.getFinishedIndex().behind(behind):
        if isinstance(task, BaseTask):
            yield Shelved((FINISHED, ended, task), task, "finished", moment(ended / MICROSECONDS))


def _quarantine(module: SchedulerModule, behind: Position | None) -> Iterator[Shelved]:
    last = -1 if behind is None else behind[0]
    for entry in module.aside():
        if entry.number > last:
            place = (QUARANTINE, entry.number)
            yield Shelved(place, entry.obj, "quarantined", entry.since, entry.reason)


def _due(position: Position, task: Any, due: int) -> Shelved:
    if due >= int(NEVER_DUE * MICROSECONDS):
        return Shelved(position, task, "paused", None)
    return Shelved(position, task, "waiting", moment(due / MICROSECONDS))


_walks = (_running, _waiting, _named, _parked, _failed, _finished, _quarantine)
