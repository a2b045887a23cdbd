"""The order about many tasks: how many it means first, and then the giving of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from werkzeug.exceptions import NotFound
from ZODB.Connection import Connection

from daemon.console.page import Action, ConsolePage, Done, Facts
from daemon.console.task_query import TaskQuery
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from daemon.views.task_rows import Row, one_row
from export.people.roles import Role
from scheduler import Client, SchedulerModule
from scheduler.errors import BadCursor
from scheduler.inbox.quarantine import quarantine_of
from scheduler.shelves.bulk_order import (
    CANCEL,
    DEFAULT_STATES,
    DELETE,
    MOVE,
    PRIORITIZE,
    RETRY,
    STATES_ALLOWED,
    BulkOrder,
)
from scheduler.shelves.search import Count, count

LARGEST_PRIORITY = 1_000_000
COUNT_SECONDS = 0.06
"""For which tasks are counted at a time; the page has the rest counted by itself."""

MOST = 500
"""Tasks that are selected one by one, at most."""


class Verb(NamedTuple):
    """Something that is done to tasks: its words, and the calls that do it."""

    label: str
    done: str
    one: Callable[[Client, Any, Any], object]
    all: Callable[[Client, Any, Any], object]


def _retry_one(client: Client, task: Any, _: object) -> None:
    client.startFailedTask(task)


VERBS = {
    RETRY: Verb("Retry", "tried again", _retry_one, lambda client, f, _: client.retryAll(f)),
    CANCEL: Verb(
        "Cancel",
        "cancelled",
        lambda client, task, _: client.cancelTask(task),
        lambda client, f, _: client.cancelAll(f),
    ),
    MOVE: Verb("Move", "moved", Client.moveTask, Client.moveAll),
    PRIORITIZE: Verb(
        "Prioritize", "given this priority", Client.prioritizeTask, Client.prioritizeAll
    ),
    DELETE: Verb(
        "Delete",
        "deleted",
        lambda client, task, _: client.dequeue(task),
        lambda client, f, _: client.deleteAll(f),
    ),
}


def _facts(visit: Visit) -> Facts:
    name = visit.arguments.get("verb") or visit.query.get("do", RETRY)
    if name not in VERBS:
        raise NotFound(f"There is no order to {name!r} tasks")
    query = TaskQuery.of(visit.query)
    is_all = visit.query.get("scope") == "all"
    chosen = [] if is_all else _selected(visit)
    fault, counted = "", Count(0, True)
    if is_all:
        try:
            counted = _count(visit, name, query)
        except (FieldFault, BadCursor) as error:
            fault = str(error)
    return {
        "name": name,
        "verb": VERBS[name],
        "query": query,
        "is_all": is_all,
        "counted": counted,
        "fault_of_order": fault,
        "chosen": [row for row in chosen if row.state in _states(name)],
        "others": [row for row in chosen if row.state not in _states(name)],
        "states": _states_meant(name, query) if is_all else _states(name),
        "further": query.address(
            "/tasks/bulk",
            do=name,
            scope="all",
            after=counted.cursor,
            counted=str(counted.number),
        ),
        "parameters": visit.request.query_string.decode("ascii", "ignore"),
        "back": query.address(),
    }


def _states(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*DEFAULT_STATES[name], *STATES_ALLOWED[name])))


def _states_meant(name: str, query: TaskQuery) -> tuple[str, ...]:
    """Return the states of which tasks are meant by an order about all."""
    return DEFAULT_STATES[name] if query.filter.state is None else (query.filter.state,)


def _selected(visit: Visit) -> list[Row]:
    numbers = dict.fromkeys(
        int(text) for text in visit.query.getlist("id")[:MOST] if text.isascii() and text.isdigit()
    )
    found = (one_row(visit.connection, number) for number in numbers)
    return [row for row in found if row is not None]


def _count(visit: Visit, name: str, query: TaskQuery) -> Count:
    number = max(0, visit.query.get("counted", 0, type=int))
    before = Count(number, False, visit.query.get("after") or None)
    module = SchedulerModule.getDBInstance(visit.connection)
    return count(module, _order(name, query), budget=COUNT_SECONDS, before=before)


def _order(name: str, query: TaskQuery) -> BulkOrder:
    for field, fault in query.faults.items():
        raise FieldFault(field, fault)
    try:
        return BulkOrder.of(name, query.filter)
    except ValueError as error:
        raise FieldFault("state", str(error)) from None


def _perform(visit: Visit) -> Done:
    name = visit.arguments["verb"]
    if name not in VERBS:
        raise NotFound(f"There is no order to {name!r} tasks")
    verb, value = VERBS[name], _value(name, visit)
    query = TaskQuery.of(visit.query)
    client = Client(visit.connection)
    if visit.query.get("scope") == "all":
        _order(name, query)
        verb.all(client, query.filter, value)
        which = query.words() or "no criteria: all"
        return Done(f"Tasks are being {verb.done} ({which})", query.address())
    done = [row for row in _selected(visit) if row.state in _states(name)]
    for row in done:
        verb.one(client, _task(visit.connection, row.id), value)
    numbers = ", ".join(str(row.id) for row in done) or "none"
    return Done(f"{_tasks(len(done))} to be {verb.done}: {numbers}", query.address())


def _task(connection: Connection, number: int) -> Any:
    aside = quarantine_of(connection).of(number)
    return Client(connection).getTask(number) if aside is None else aside.obj


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


def _value(name: str, visit: Visit) -> Any:
    if name == MOVE:
        return date_in(visit, "date")
    return priority_in(visit, "priority") if name == PRIORITIZE else None


def date_in(visit: Visit, field: str) -> datetime:
    """Return the date in the *field* of the form, in UTC unless it has a zone. FieldFault."""
    text = visit.form.get(field, "").strip()
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise FieldFault(field, "Give a date, such as 2026-11-30 14:00") from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def priority_in(visit: Visit, field: str) -> int:
    """Return the priority in the *field* of the form. Raises FieldFault."""
    text = visit.form.get(field, "").strip()
    try:
        priority = int(text)
    except ValueError:
        raise FieldFault(field, "Give a whole number; higher ones go first") from None
    if abs(priority) > LARGEST_PRIORITY:
        raise FieldFault(field, f"Give a number from -{LARGEST_PRIORITY} to {LARGEST_PRIORITY}")
    return priority


PAGE = ConsolePage("/tasks/bulk", "bulk.html", _facts, role=Role.OPERATOR, is_live=False)
ORDER = Action("/tasks/bulk/<verb>", _perform, PAGE)
