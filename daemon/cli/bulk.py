"""`indico_scheduler cmd ... --all`: tasks that a filter chooses are cancelled, deleted or moved."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import transaction
from ZODB.Connection import Connection
from ZODB.utils import u64

from daemon.config import Config
from daemon.errors import DaemonException
from daemon.views.task_detail import find_task
from daemon.views.task_rows import word
from scheduler import Client, SchedulerModule, TaskFilter
from scheduler.inbox.quarantine import quarantine_of
from scheduler.shelves.bulk_order import CANCEL, DELETE, MOVE, PRIORITIZE, RETRY, BulkOrder
from scheduler.shelves.flow_graph import PENDING
from scheduler.shelves.walk import walk
from scheduler.store import connect
from scheduler.tasks import BaseTask
from scheduler.values.console import answer, counted

WORDS = {
    CANCEL: "cancelled",
    DELETE: "deleted",
    MOVE: "moved",
    PRIORITIZE: "given this priority",
    RETRY: "tried again",
    "pause": "paused",
    "resume": "resumed",
    "remove": "removed",
    "restart": "run again, with what follows",
    "cancel_flow": "cancelled with its flow",
}
CRITERIA = ("kind", "state", "queue", "since", "until", "text")


def delete(options: argparse.Namespace, config: Config) -> int:
    """Delete tasks: they are gone, and what runs goes on to its end."""
    if options.all:
        return by_filter(options, config, DELETE, Client.deleteAll)
    return _each(options, config, DELETE, lambda client, task: client.dequeue(task))


def move(options: argparse.Namespace, config: Config) -> int:
    """Give waiting tasks another date."""
    date = options.to
    if options.all:
        return by_filter(options, config, MOVE, lambda client, chosen: client.moveAll(chosen, date))
    return _each(options, config, MOVE, lambda client, task: client.moveTask(task, date))


def prioritize(options: argparse.Namespace, config: Config) -> int:
    """Give waiting tasks another priority."""
    priority = options.to
    if options.all:
        return by_filter(
            options,
            config,
            PRIORITIZE,
            lambda client, chosen: client.prioritizeAll(chosen, priority),
        )
    return _each(
        options, config, PRIORITIZE, lambda client, task: client.prioritizeTask(task, priority)
    )


def by_filter(
    options: argparse.Namespace,
    config: Config,
    verb: str,
    order: Callable[[Client, TaskFilter], object],
) -> int:
    """Give the *order* about the tasks that *options* choose; print how many there are now."""
    with connect(config.database) as connection:
        number = len(chosen(connection, verb, options))
        if not options.dry_run:
            order(Client(connection), _filter(options))
            transaction.commit()
    return report(options, verb, number)


def chosen(connection: Connection, verb: str, options: argparse.Namespace) -> list[int]:
    """Return the numbers of the tasks that *options* choose for *verb*; DaemonException."""
    try:
        order = BulkOrder.of(verb, _filter(options))
    except ValueError as error:
        raise DaemonException(str(error)) from None
    module = SchedulerModule.getDBInstance(connection)
    return [u64(found.task._p_oid) for found in walk(module, order.filter) if order.means(found)]


def check_criteria(options: argparse.Namespace) -> None:
    """Raise DaemonException where criteria are given and `--all` is not."""
    if not options.all and any(getattr(options, name) is not None for name in CRITERIA):
        raise DaemonException("--class, --since and the like choose among --all: give that, too")


def _filter(options: argparse.Namespace) -> TaskFilter:
    return TaskFilter(*(getattr(options, name) for name in CRITERIA))


def _each(
    options: argparse.Namespace, config: Config, verb: str, act: Callable[[Client, Any], object]
) -> int:
    check_criteria(options)
    if not options.task_ids:
        raise DaemonException(f"there is nothing to {verb}: give the numbers of tasks, or --all")
    with connect(config.database) as connection:
        for number in options.task_ids:
            aside = quarantine_of(connection).of(number)
            task = _in_its_turn(connection, number) if aside is None else aside.obj
            act(Client(connection), task)
        transaction.commit()
    return report(options, verb, len(options.task_ids), options.task_ids)


def _in_its_turn(connection: Connection, number: int) -> BaseTask:
    task = find_task(connection, number)
    if word(task) == PENDING:
        raise DaemonException(
            f"task {number} is pending: it is begun in its turn ('cmd cancel_flow' ends its flow)"
        )
    return task


def report(
    options: argparse.Namespace, verb: str, number: int, tasks: Sequence[int] | None = None
) -> int:
    """Tell how many tasks an order is about, and which, where that is certain; return 0."""
    facts = {"number": number} | ({} if tasks is None else {"tasks": tasks})
    would = "would be" if getattr(options, "dry_run", False) else "to be"
    answer(options, facts, f"{counted(number, 'task')} {would} {WORDS[verb]}")
    return 0
