"""The declaration of schedules: what imported modules declare is brought into the database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain
from types import ModuleType

from ZODB.Connection import Connection

from scheduler.dispatch.steps import Steps
from scheduler.inbox import spool
from scheduler.inbox.spool import spool_of
from scheduler.schedules.schedule import packed
from scheduler.shelves.declared_schedules import (
    DeclaredSchedule,
    DeclaredSchedules,
    declared_schedules,
)
from scheduler.shelves.module import SchedulerModule
from scheduler.states import AT_WORK, TASK_STATUS_NONE
from scheduler.store.missing_class import reason_of
from scheduler.tasks.call import path_of
from scheduler.tasks.entering import enter
from scheduler.tasks.function import SCHEDULED, TaskFunction
from scheduler.tasks.function_schedule import declaration_of, schedule_of
from scheduler.tasks.scheduled_call import ScheduledCall

log = logging.getLogger(__name__)

Functions = Mapping[str, TaskFunction[..., object, object]]
"""Functions with a declared schedule, by their paths."""


def declared_in(modules: Iterable[ModuleType]) -> Functions:
    """Return the functions with a schedule in *modules*, in their packages, and imported there."""
    found = {}
    for module in modules:
        names = (module.__name__, f"{module.__name__}.")
        there = {id(value) for value in vars(module).values()}
        for function in SCHEDULED.values():
            home = function.__module__
            if home == names[0] or home.startswith(names[1]) or id(function) in there:
                found[path_of(function)] = function
    return found


def declare(connection: Connection, functions: Functions) -> None:
    """Bring the schedules of *functions* into the database, where they are not or have changed.

    A schedule whose function declares none any more goes on, and is marked as vanished. A schedule
    whose task cannot be read holds up no other: the task is put in quarantine.
    """
    shelf = declared_schedules(connection)
    module = SchedulerModule.getDBInstance(connection)
    steps = Steps(connection, is_careful=True)
    if not shelf:
        _adopt(steps, module, shelf)
    for path in sorted({*functions, *(path for path, _ in shelf)}):
        steps.take(
            partial(_declare, connection, shelf, path, functions.get(path)),
            partial(_not_declared, module, shelf, path),
        )


def _not_declared(
    module: SchedulerModule, shelf: DeclaredSchedules, path: str, error: Exception
) -> None:
    log.error("the schedule of %s is left as it is: %s", path, reason_of(error))
    entry = shelf.get(path)
    if entry is not None and entry.state is None:
        module.set_unread_aside(entry.task, reason_of(error))


def _adopt(steps: Steps, module: SchedulerModule, shelf: DeclaredSchedules) -> None:
    """Enter the scheduled calls at work: the shelf may have been made anew."""
    for task in chain(module.running, (task for _, task in module.queues)):
        if isinstance(task, ScheduledCall):
            steps.take(partial(_enter, shelf, task), _leave_out)


def _enter(shelf: DeclaredSchedules, task: ScheduledCall) -> None:
    shelf.set(task.path, DeclaredSchedule(task, (), is_declared=True))


def _leave_out(error: Exception) -> None:
    log.error("a scheduled call is not known as a declared one: %s", reason_of(error))


def _declare(
    connection: Connection,
    shelf: DeclaredSchedules,
    path: str,
    function: TaskFunction[..., object, object] | None,
) -> None:
    if function is None:
        _mark_vanished(shelf, path)
        return
    declaration, schedule = declaration_of(function.options), schedule_of(function.options)
    entry = shelf.get(path)
    if schedule is None:
        return
    if entry is None or entry.task.getStatus() == TASK_STATUS_NONE:
        task = ScheduledCall(path, schedule)
        enter(task, connection)
        log.info("task %s is declared: %s by %r", task.getId(), path, schedule)
    else:
        task = entry.task
        if entry.declaration != declaration:
            log.info("task %s is declared anew: %s by %r", task.getId(), path, schedule)
            if task.getStatus() in AT_WORK:
                spool_of(connection).put(spool.RESCHEDULE, (packed(schedule), task))
            else:
                task.setSchedule(schedule)
                enter(task, connection)
    shelf.set(path, DeclaredSchedule(task, declaration, is_declared=True))


def _mark_vanished(shelf: DeclaredSchedules, path: str) -> None:
    entry = shelf.get(path)
    if entry is None:
        return
    if entry.state == TASK_STATUS_NONE:
        shelf.forget(path)
    elif entry.is_declared:
        log.warning(
            "task %s has vanished: no schedule is declared for %s any more; "
            "'indico_scheduler cmd drop_schedule' removes it",
            entry.number,
            path,
        )
        shelf.set(path, entry._replace(is_declared=False))
