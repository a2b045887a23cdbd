"""`indico_scheduler show flow`, `cmd restart` and `cmd cancel_flow`: the flow of a task."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable

import transaction
from ZODB.Connection import Connection

from daemon.cli.bulk import report
from daemon.config import Config
from daemon.errors import DaemonException
from daemon.views.task_detail import find_task
from scheduler import Client
from scheduler.errors import TaskInconsistentStatusException
from scheduler.shelves.flow_graph import FlowGraph, is_large
from scheduler.storage.outage import is_transient
from scheduler.store import connect
from scheduler.tasks import BaseTask
from scheduler.values.console import answer, as_text

SHOWN_WITH_TASK = 50
"""The most tasks of a flow that are shown with one of them."""

AFTER = {"finished": "after", "failed": "if fails", "ended": "after any end of", "undoes": "undoes"}


def show(options: argparse.Namespace, config: Config) -> int:
    """Print the flow of a task: each step with its state, and what it follows."""
    with connect(config.database) as connection:
        graph = Client(connection).getFlow(find_task(connection, options.task_id))
    answer(options, facts(graph), "\n".join(lines(graph)))
    return 0


def restart(options: argparse.Namespace, config: Config) -> int:
    """Start tasks that have ended again, and then what follows each."""

    def start(client: Client, task: BaseTask) -> None:
        try:
            client.restart(task)
        except TaskInconsistentStatusException:
            raise DaemonException(f"task {task.getId()} has not ended: it needs no start") from None

    return _each(options, config, "restart", start)


def cancel(options: argparse.Namespace, config: Config) -> int:
    """Cancel what is at work of the flows of tasks."""
    return _each(options, config, "cancel_flow", Client.cancelFlow)


def small_flow(connection: Connection, number: int) -> FlowGraph | None:
    """Return the flow of task *number*; None for a task alone, a large flow, an unreadable one."""
    try:
        task = find_task(connection, number)
        if is_large(connection, task, SHOWN_WITH_TASK):
            return None
        graph = Client(connection).getFlow(task)
    except Exception as error:
        if is_transient(error):
            raise
        return None
    return graph if len(graph.nodes) > 1 else None


def facts(graph: FlowGraph) -> dict[str, object]:
    """Return *graph* as plain values."""
    return {
        "nodes": [node._asdict() for node in graph.nodes],
        "edges": [edge._asdict() for edge in graph.edges],
    }


def lines(graph: FlowGraph) -> Iterable[str]:
    """Yield a line for each node of *graph*: its number, state and title, and what it follows."""
    before: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for edge in graph.edges:
        before[edge.after][edge.when].append(str(edge.before))
    for node in graph.nodes:
        links = [f"{AFTER[when]} {', '.join(ids)}" for when, ids in before[node.id].items()]
        behind = f" ({'; '.join(links)})" if links else ""
        yield f"{node.id} {node.state} {as_text(node.title)}{behind}"


def _each(
    options: argparse.Namespace,
    config: Config,
    verb: str,
    act: Callable[[Client, BaseTask], object],
) -> int:
    with connect(config.database) as connection:
        for number in options.task_ids:
            act(Client(connection), find_task(connection, number))
        transaction.commit()
    return report(options, verb, len(options.task_ids), options.task_ids)
