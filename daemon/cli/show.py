"""`indico_scheduler show`: the status, the spool, tasks, queues and workers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ZODB.Connection import Connection

from daemon.cli import flow
from daemon.config import Config
from daemon.views import task_rows
from daemon.views.schedule_rows import schedule_rows
from daemon.views.task_detail import card
from daemon.views.task_rows import Row, dead_letters, row_of, rows, shown
from scheduler import Client, SchedulerModule
from scheduler.leadership.roster import roster_of
from scheduler.store import connect
from scheduler.tasks.attempt import moment
from scheduler.values.console import answer, as_json, as_lines, as_table, as_text

REASON_SHOWN = 110
WORKER_HEADS = ("worker", "state", "task", "since", "class", "progress")


def status(options: argparse.Namespace, config: Config) -> int:
    """Print whether the scheduler runs, and the number of tasks in each state."""
    with connect(config.database) as connection:
        client = Client(connection)
        standbys = [
            {"hostname": each.hostname, "pid": each.pid, "seen": moment(each.seen)}
            for each in roster_of(connection).standing_by()
        ]
        facts = {**client.getStatus(), "paused": client.isPaused(), "standbys": standbys}
    answer(options, facts, _status_text(facts))
    return 0


def spool(options: argparse.Namespace, config: Config) -> int:
    """Print the instructions in the spool."""
    with connect(config.database) as connection:
        found = [
            (op, None if obj is None else shown(obj)) for op, obj in Client(connection).getSpool()
        ]
    if options.json:
        print(as_json([{"operation": op, "object": text} for op, text in found]))
    else:
        for op, text in found:
            print(f"{op} {as_text(text)}" if op in {"add", "del"} else op)
    return 0


def tasks(options: argparse.Namespace, config: Config) -> int:
    """Print tasks by state: waiting ones by date, ended ones the newest first."""
    with connect(config.database) as connection:
        found = rows(SchedulerModule.getDBInstance(connection), options.state)
        heads = ("task", "state", "date (UTC)", "class")
        _print_rows(_page(found, options), options, heads)
    return 0


def failed(options: argparse.Namespace, config: Config) -> int:
    """Print failed, terminated, cancelled and quarantined tasks, the newest first."""
    with connect(config.database) as connection:
        found = dead_letters(SchedulerModule.getDBInstance(connection))
        heads = ("task", "state", "date (UTC)", "class", "tries", "reason")
        _print_rows(_page(found, options), options, heads)
    return 0


def task(options: argparse.Namespace, config: Config) -> int:
    """Print the facts of one task."""
    with connect(config.database) as connection:
        facts = card(connection, options.task_id)
        graph = flow.small_flow(connection, options.task_id)
    if options.json:
        print(as_json(facts if graph is None else facts | {"flow": flow.facts(graph)}))
        return 0
    print("\n".join(as_lines(facts)))
    if graph is not None:
        print("\nFlow:", *flow.lines(graph), sep="\n  ")
    return 0


def workers(options: argparse.Namespace, config: Config) -> int:
    """Print the workers, and the task of each."""
    with connect(config.database) as connection:
        found = list(_workers(connection))
    answer(options, found, as_table(WORKER_HEADS, map(_worker_cells, found)))
    return 0


def queues(options: argparse.Namespace, config: Config) -> int:
    """Print the named queues: waiting tasks, running tasks and limits."""
    with connect(config.database) as connection:
        client = Client(connection)
        found = [
            {"queue": name, **each, "paused": client.isPaused(name)}
            for name, each in client.getQueues().items()
        ]
    heads = ("queue", "waiting", "running", "atOnce", "rate", "period", "paused")
    answer(options, found, as_table(heads, [[each[name] for name in heads] for each in found]))
    return 0


def schedules(options: argparse.Namespace, config: Config) -> int:
    """Print the schedules: declared ones first, with next and last attempt."""
    with connect(config.database) as connection:
        module = SchedulerModule.getDBInstance(connection)
        found = list(schedule_rows(Client(connection), module))
    heads = ("task", "name", "declared", "schedule", "state", "next (UTC)", "last (UTC)", "ended")
    rows = [each[:-1] for each in found]
    answer(options, [each._asdict() for each in found], as_table(heads, rows))
    return 0


def conflicts(options: argparse.Namespace, config: Config) -> int:
    """Print the objects over which tasks conflicted within a day, and which are serialized."""
    with connect(config.database) as connection:
        found = task_rows.conflicts(SchedulerModule.getDBInstance(connection))
    heads = ("object", "of class", "tasks", "times", "last (UTC)", "serialized")
    rows = [[*each[:2], " ".join(each.tasks), *each[3:]] for each in found]
    answer(options, [each._asdict() for each in found], as_table(heads, rows))
    return 0


def _status_text(facts: dict[str, Any]) -> str:
    where = f"on {facts['hostname']} with pid {facts['pid']}" if facts["state"] else ""
    lines = [f"Scheduler is currently {f'running {where}' if where else 'NOT running'}"]
    if facts["paused"]:
        lines.append("It is paused and starts nothing: 'indico_scheduler cmd resume' ends that")
    lines += [
        "Standing by on {hostname} with pid {pid}, seen {seen:%H:%M:%S} UTC".format_map(each)
        for each in facts["standbys"]
    ]
    lines += ["", f"Spooled commands: {facts['spooled']}", "", "Tasks:"]
    for name in ("waiting", "running", "failed", "finished"):
        lines.append(f"  - {name.capitalize() + ':':<9} {facts[name]}")
    return "\n".join(lines)


def _page(found: Iterator[Row], options: argparse.Namespace) -> list[Row]:
    wanted = (row for row in found if options.kind is None or row.is_of(options.kind))
    # One more than asked for shows that there are more.
    return list(islice(wanted, options.offset, options.offset + options.limit + 1))


def _print_rows(page: list[Row], options: argparse.Namespace, heads: tuple[str, ...]) -> None:
    shown = page[: options.limit]
    rows = (_cells(row)[: len(heads)] for row in shown)
    answer(options, [_facts(row) for row in shown], as_table(heads, rows))
    if len(page) > len(shown):
        behind = options.offset + options.limit
        print(f"there are more: go on with --offset {behind}", file=sys.stderr)


def _facts(row: Row) -> dict[str, Any]:
    return {("class" if name == "kind" else name): value for name, value in row._asdict().items()}


def _cells(row: Row) -> tuple[Any, ...]:
    return (
        row.name,
        row.situation,
        row.date,
        row.title,
        row.tries or None,
        row.reason[:REASON_SHOWN],
    )


def _worker_cells(facts: dict[str, Any]) -> list[Any]:
    kind, arguments = facts["class"], facts["arguments"]
    shown = facts | {"class": kind if arguments is None else f"{kind}({arguments})"}
    return [shown[name] for name in WORKER_HEADS]


def _workers(connection: Connection) -> Iterable[dict[str, Any]]:
    roster = roster_of(connection)
    if not roster.is_taken():
        return
    running = SchedulerModule.getDBInstance(connection).running
    for post in roster.workers:
        claim = running.claim(post.tid)
        facts: dict[str, Any] = dict.fromkeys((*WORKER_HEADS[:-1], "arguments", "progress"))
        facts["worker"], facts["state"] = post.worker, post.state or None
        # The note may be older than the end of the attempt.
        if claim is not None and claim.number == post.number:
            facts["task"], facts["since"] = claim.tid, moment(claim.since)
            row = row_of(running.task(claim.tid), "running", facts["since"])
            facts |= {"class": row.kind, "arguments": row.arguments}
            facts["progress"] = running.progress(claim.tid)
        yield facts
