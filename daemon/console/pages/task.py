"""The page of one task: all that is known of it, and what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import NotFound
from ZODB.utils import u64

from daemon.console.dry_run_process import run_dry
from daemon.console.flow_drawing import flow_around
from daemon.console.page import Action, ConsolePage, Done, Facts
from daemon.console.pages.bulk import date_in, priority_in
from daemon.console.visit import Visit
from daemon.errors import DaemonException, FieldFault, Refusal
from daemon.logs.running_log import RUNNING_LOG
from daemon.views.attempt_choice import attempt_choice
from daemon.views.task_card import page_card
from daemon.views.task_changes import changes_of
from daemon.views.task_detail import find_task
from daemon.views.undoing import take_back
from export.people.roles import Role
from scheduler import Client, nowutc
from scheduler.clock import moment
from scheduler.errors import NoHistory, TaskInconsistentStatusException
from scheduler.inbox.claims import running_list
from scheduler.inbox.quarantine import quarantine_of
from scheduler.storage.outage import is_transient
from scheduler.tasks import BaseTask
from scheduler.tasks.naming import class_name, title_of

NAMED = 50
GONE = "There is no task {}: it may have been deleted, or be kept no longer"

ACTS = {
    "retry": ("failed", "terminated", "aborted", "quarantined"),
    "again": ("finished",),
    "run": ("waiting", "paused"),
    "cancel": ("spooled", "waiting", "paused", "running"),
    "pause": ("waiting",),
    "resume": ("paused",),
    "move": ("waiting", "paused"),
    "prioritize": ("waiting", "paused"),
    "delete": (
        *("spooled", "waiting", "paused", "quarantined"),
        *("failed", "terminated", "aborted", "finished"),
    ),
}
"""By an action, the states of the tasks with which it may be done."""


def _facts(visit: Visit) -> Facts:
    number = visit.arguments["number"]
    card = _card(visit, number)
    claim = running_list(visit.connection).claim(number)
    state = card["state"]
    changes, no_changes = changes_of(visit.connection, number)
    return {
        "number": number,
        "card": card,
        "state_word": state,
        "acts": {name for name, states in ACTS.items() if state in states},
        "since": None if claim is None else moment(claim.since),
        "lines": [] if claim is None else RUNNING_LOG.of(number, claim.since),
        **_flow(visit, number),
        "changes": changes,
        "no_changes": no_changes,
    }


def _flow(visit: Visit, number: int) -> Facts:
    try:
        drawing, is_large = flow_around(visit.connection, find_task(visit.connection, number))
    except Exception as error:
        if is_transient(error):
            raise
        return {"drawing": None, "is_large_flow": False}
    return {"drawing": drawing, "is_large_flow": is_large}


def _card(visit: Visit, number: int) -> dict[str, Any]:
    try:
        return page_card(visit.connection, number)
    except DaemonException:
        raise NotFound(GONE.format(number)) from None


def _dry_run(visit: Visit) -> Facts:
    number, attempt = visit.arguments["number"], visit.query.get("attempt", type=attempt_choice)
    task = _task(visit, number)
    told = run_dry(visit.database, number, attempt)
    return {"number": number, "title": title_of(task), "attempt": attempt, "told": told}


def _undo_facts(visit: Visit) -> Facts:
    task = _task(visit, visit.arguments["number"])
    facts = {"number": visit.arguments["number"], "title": title_of(task)}
    try:
        done = take_back(visit.connection, task)
    except (DaemonException, NoHistory, TaskInconsistentStatusException) as error:
        text = str(error).partition(": ")[2] if isinstance(error, Refusal) else str(error)
        return {**facts, "obstacles": text.split("; "), "done": None, "names": []}
    names = [_named(obj) for obj in (*done.restored, *done.made)][:NAMED]
    return {**facts, "obstacles": [], "done": done, "names": names}


def _named(obj: Any) -> str:
    return f"{class_name(obj)} {u64(obj._p_oid)}"


def _undo(visit: Visit) -> Done:
    number = visit.arguments["number"]
    try:
        done = take_back(visit.connection, _task(visit, number))
    except (DaemonException, NoHistory, TaskInconsistentStatusException) as error:
        raise FieldFault("undo", str(error)) from None
    parts = f"{len(done.restored)} restored, {len(done.made)} unmade"
    return Done(f"Task {number} is undone: {parts}", _address(number))


def _retry(client: Client, task: Any, _: Visit) -> str:
    client.startFailedTask(task)
    return "is started again"


def _again(client: Client, task: BaseTask, _: Visit) -> str:
    client.enqueue(task)
    return "is run again"


def _run(client: Client, task: BaseTask, _: Visit) -> str:
    if task.isPaused():
        client.resumeTask(task)
    client.moveTask(task, nowutc())
    return "is run now"


def _cancel(client: Client, task: BaseTask, _: Visit) -> str:
    client.cancelTask(task)
    return "is being cancelled"


def _pause(client: Client, task: BaseTask, _: Visit) -> str:
    client.pauseTask(task)
    return "is paused"


def _resume(client: Client, task: BaseTask, _: Visit) -> str:
    client.resumeTask(task)
    return "is resumed"


def _move(client: Client, task: BaseTask, visit: Visit) -> str:
    date = date_in(visit, "date")
    client.moveTask(task, date)
    return f"is moved to {date:%Y-%m-%d %H:%M:%S %Z}"


def _prioritize(client: Client, task: BaseTask, visit: Visit) -> str:
    priority = priority_in(visit, "priority")
    client.prioritizeTask(task, priority)
    return f"has priority {priority}"


def _delete(client: Client, task: BaseTask, _: Visit) -> str:
    client.dequeue(task)
    return "is deleted"


Act = Callable[[Client, Any, Visit], str]


def _action(name: str, act: Act) -> Action:
    def perform(visit: Visit) -> Done:
        number = visit.arguments["number"]
        state = _card(visit, number)["state"]
        if state not in ACTS[name]:
            raise FieldFault("act", f"Task {number} is {state} by now: nothing was done")
        text = act(Client(visit.connection), _task(visit, number), visit)
        return Done(f"Task {number} {text}", "/tasks" if name == "delete" else _address(number))

    return Action(f"{_PATH}/{name}", perform, PAGE)


def _task(visit: Visit, number: int) -> Any:
    aside = quarantine_of(visit.connection).of(number)
    if aside is not None:
        return aside.obj
    try:
        return find_task(visit.connection, number)
    except DaemonException as error:
        raise NotFound(str(error)) from None


def _address(number: int) -> str:
    return f"/tasks/{number}"


_PATH = "/tasks/<int(max=9223372036854775807):number>"
PAGE = ConsolePage(_PATH, "task.html", _facts)
DRY_RUN = ConsolePage(
    f"{_PATH}/dry-run", "dry_run.html", _dry_run, role=Role.OPERATOR, is_live=False
)
UNDO_PAGE = ConsolePage(
    f"{_PATH}/undo", "undo.html", _undo_facts, role=Role.OPERATOR, is_live=False
)
UNDO = Action(f"{_PATH}/undo", _undo, UNDO_PAGE)
ACTIONS = (
    *(
        _action(name, act)
        for name, act in {
            "retry": _retry,
            "again": _again,
            "run": _run,
            "cancel": _cancel,
            "pause": _pause,
            "resume": _resume,
            "move": _move,
            "prioritize": _prioritize,
            "delete": _delete,
        }.items()
    ),
    UNDO,
)
