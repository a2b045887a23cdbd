"""`indico_scheduler cmd`: instructions to the scheduler, carried out at once or at its start."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import transaction
from ZODB.Connection import Connection

from daemon.cli.bulk import by_filter, check_criteria, chosen, report
from daemon.config import Config
from daemon.errors import DaemonException, Refusal
from daemon.views.task_detail import find_task
from daemon.views.task_rows import quarantined, word
from livesync.cli.progress import progress
from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_TERMINATED,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.shelves.bulk_order import CANCEL, RETRY
from scheduler.shelves.declared_schedules import DeclaredSchedule
from scheduler.shelves.flow_graph import PENDING
from scheduler.states import AT_WORK
from scheduler.store import connect
from scheduler.tasks import BaseTask, RecurringTask
from scheduler.tasks.naming import dotted
from scheduler.values.console import answer, counted

COMMIT_LIMIT = 500
STARTED_AGAIN = (TASK_STATUS_FAILED, TASK_STATUS_TERMINATED, TASK_STATUS_ABORTED)


def clear_spool(options: argparse.Namespace, config: Config) -> int:
    """Drop the instructions in the spool."""
    with connect(config.database) as connection:
        number = Client(connection).clearSpool()
        transaction.commit()
    answer(options, {"removed": number}, f"{number} operations removed")
    return 0


def retry(options: argparse.Namespace, config: Config) -> int:
    """Start failed tasks again, and load quarantined ones."""
    check_criteria(options)
    with connect(config.database) as connection:
        aside = {row.id for row in quarantined(SchedulerModule.getDBInstance(connection))}
        numbers = chosen(connection, RETRY, options) if options.all else options.task_ids
        if not options.dry_run:
            with progress("tasks started again", len(numbers)) as tell:
                for done, number in enumerate(numbers, start=1):
                    _start_again(connection, number, number in aside, options.force)
                    if done % COMMIT_LIMIT == 0 or done == len(numbers):
                        transaction.commit()
                        tell(done)
    return report(options, RETRY, len(numbers), numbers)


def cancel(options: argparse.Namespace, config: Config) -> int:
    """Cancel waiting and running tasks."""
    check_criteria(options)
    if options.all:
        return by_filter(options, config, CANCEL, Client.cancelAll)
    if not options.task_ids:
        raise DaemonException("there is nothing to cancel: give the numbers of tasks, or --all")
    return _order(options, config, CANCEL, Client.cancelTask)


def pause(options: argparse.Namespace, config: Config) -> int:
    """Pause the given tasks, or a named queue; the whole scheduler if none is given."""
    if options.task_ids:
        return _order(options, config, "pause", Client.pauseTask)
    return _order_all(options, config, True)


def resume(options: argparse.Namespace, config: Config) -> int:
    """Resume the given tasks, or a named queue; the whole scheduler if none is given."""
    if options.task_ids:
        return _order(options, config, "resume", Client.resumeTask)
    return _order_all(options, config, False)


def repair(options: argparse.Namespace, config: Config) -> int:
    """Have the scheduler check its own data, and rebuild the parts that cannot be read."""
    with connect(config.database) as connection:
        Client(connection).repair()
        transaction.commit()
    answer(options, {"repair": True}, "to be looked through")
    return 0


def signal(options: argparse.Namespace, config: Config) -> int:
    """Give a signal to the tasks that wait for it."""
    with connect(config.database) as connection:
        try:
            Client(connection).signal(options.name, options.payload)
        except ValueError as error:
            raise DaemonException(str(error)) from None
        transaction.commit()
    facts = {"signal": options.name, "payload": options.payload}
    answer(options, facts, f"signal {options.name} to be given")
    return 0


def drop_schedule(options: argparse.Namespace, config: Config) -> int:
    """Remove declared schedules; those that vanished from the code, if none is given."""
    with connect(config.database) as connection:
        schedules = Client(connection).getSchedules()
        names = options.names or [name for name, each in schedules.items() if not each.is_declared]
        dropped = [_schedule(schedules, name) for name in names]
        for each in dropped:
            Client(connection).dequeue(each.task)
        transaction.commit()
        numbers = [each.number for each in dropped]
    return report(options, "remove", len(numbers), numbers)


def backfill(options: argparse.Namespace, config: Config) -> int:
    """Run a recurring task for each date of its schedule within a time that has passed."""
    with connect(config.database) as connection:
        client = Client(connection)
        task = _recurring(connection, options.task)
        tid = task.getId()
        try:
            number = client.backfill(task, options.since, options.until or nowutc())
        except ValueError as error:
            raise DaemonException(str(error)) from None
        transaction.commit()
    answer(options, {"task": tid, "dates": number}, f"{counted(number, 'date')} to be run")
    return 0


def _recurring(connection: Connection, name: str) -> RecurringTask:
    """Return the recurring task with that number, or of the function with that *name*."""
    if not name.isdecimal():
        name = str(_schedule(Client(connection).getSchedules(), name).number)
    task = find_task(connection, int(name))
    if not isinstance(task, RecurringTask):
        raise DaemonException(f"task {name} has no schedule: it is run once")
    return task


def _schedule(schedules: Mapping[str, DeclaredSchedule], name: str) -> DeclaredSchedule:
    if dotted(name) not in schedules:
        known = ", ".join(schedules) or "none"
        raise DaemonException(f"no schedule is declared for {name!r}: there are {known}")
    return schedules[dotted(name)]


def _start_again(connection: Connection, number: int, is_quarantined: bool, force: bool) -> None:
    client = Client(connection)
    if is_quarantined:
        client.reclaim(number)
        return
    task = find_task(connection, number)
    if task.getStatus() in STARTED_AGAIN:
        client.startFailedTask(task)
    elif task.getStatus() in AT_WORK:
        raise DaemonException(f"task {number} is {word(task)}: it needs no start")
    elif word(task) == PENDING:
        raise DaemonException(f"task {number} is pending: it is begun in its turn")
    elif force:
        client.enqueue(task)
    else:
        raise Refusal(f"Task {number} has not failed: it is {word(task)} (consider -f?)")


def _order(
    options: argparse.Namespace,
    config: Config,
    verb: str,
    order: Callable[[Client, BaseTask], bool],
) -> int:
    with connect(config.database) as connection:
        for number in options.task_ids:
            task = find_task(connection, number)
            if task.getStatus() not in AT_WORK:
                raise DaemonException(f"task {number} is {word(task)}: it neither waits nor runs")
            order(Client(connection), task)
        transaction.commit()
    return report(options, verb, len(options.task_ids), options.task_ids)


def _order_all(options: argparse.Namespace, config: Config, is_pause: bool) -> int:
    with connect(config.database) as connection:
        client = Client(connection)
        if is_pause:
            client.pause(options.queue)
        else:
            client.resume(options.queue)
        transaction.commit()
    who = "The scheduler" if options.queue is None else f"The queue {options.queue!r}"
    facts = {"paused": is_pause} | ({} if options.queue is None else {"queue": options.queue})
    answer(options, facts, f"{who} {_WORDS[is_pause]}")
    return 0


_WORDS = {
    True: "starts nothing until it is resumed",
    False: "starts tasks again",
}
