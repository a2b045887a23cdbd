"""The list of tasks: those that a query means, in pages, with orders about many at once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from daemon.console.page import ConsolePage, Facts
from daemon.console.task_query import TaskQuery, words_of
from daemon.console.visit import Visit
from daemon.views.task_rows import Row, found_row, one_row
from scheduler import Client, SchedulerModule
from scheduler.errors import BadCursor
from scheduler.shelves.bulk_order import (
    CANCEL,
    DELETE,
    MOVE,
    PRIORITIZE,
    RETRY,
    STATES_ALLOWED,
    orders_in,
)
from scheduler.shelves.search import PAGE_SIZE, SearchPage, search
from scheduler.shelves.task_filter import TaskFilter

VERBS = (RETRY, CANCEL, MOVE, PRIORITIZE, DELETE)
TABS = (
    *("", "running", "waiting", "failed", "finished", "spooled", "paused"),
    *("terminated", "aborted", "quarantined"),
)
QUEUES_NAMED = 100
DATES = {"waiting": "Due", "paused": "Due", "running": "Since"}

DONE = {
    RETRY: "tried again",
    CANCEL: "cancelled",
    MOVE: "moved",
    PRIORITIZE: "given another priority",
    DELETE: "deleted",
}


class OrderRow(NamedTuple):
    """An order about many tasks that is under way."""

    done: str
    number: int
    """How many tasks it has come to so far."""

    words: str
    since: datetime


_NONE = SearchPage([], None, 0)


def _facts(visit: Visit) -> Facts:
    query = TaskQuery.of(visit.query)
    cursor = visit.query.get("after") or None
    seen = max(0, visit.query.get("seen", 0, type=int))
    faults = dict(query.faults)
    page = _NONE
    rows: list[Row] = []
    if query.number is not None:
        rows = [row for row in [one_row(visit.connection, query.number)] if row is not None]
    elif not faults:
        try:
            page = search(SchedulerModule.getDBInstance(visit.connection), query.filter, cursor)
        except BadCursor:
            faults["after"] = "This address leads to no page: begin at the first one"
        rows = [found_row(found) for found in page.found]
    return {
        "orders": _orders(visit),
        "query": query,
        "faults": faults,
        "tabs": TABS,
        "rows": rows,
        "date_head": DATES.get(query.filter.state or "", "When"),
        "has_queues": any(row.queue for row in rows),
        "is_first": cursor is None,
        "is_cut": page.cursor is not None and len(rows) < PAGE_SIZE,
        "looked_at": seen + page.looked_at,
        "further": _further(query, page, seen, len(rows)),
        "queues": list(Client(visit.connection).getQueues())[:QUEUES_NAMED],
        "verbs": [verb for verb in VERBS if _suits(verb, query.filter.state)],
    }


def _orders(visit: Visit) -> list[OrderRow]:
    orders = orders_in(SchedulerModule.getDBInstance(visit.connection).getSpool())
    return [
        OrderRow(DONE[order.verb], order.done, _words(order.filter), order.ordered)
        for order in orders
    ]


def _words(chosen: TaskFilter) -> str:
    given = {name: value for name, value in vars(chosen).items() if value is not None}
    return words_of(given) or "no criteria: all"


def _further(query: TaskQuery, page: SearchPage, seen: int, found: int) -> str:
    if page.cursor is None:
        return ""
    is_cut = found < PAGE_SIZE
    return query.address(after=page.cursor, seen=str(seen + page.looked_at) if is_cut else None)


def _suits(verb: str, state: str | None) -> bool:
    return state is None or state in STATES_ALLOWED[verb]


PAGE = ConsolePage("/tasks", "tasks.html", _facts, label="Tasks")
