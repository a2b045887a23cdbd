"""The facts of one task, as commands and pages show them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ZODB.Connection import Connection

from daemon.errors import DaemonException
from daemon.views.attempt_choice import name_of_attempt
from daemon.views.task_rows import QUARANTINED, WORDS, rows, word
from scheduler import TASK_STATUS_FINISHED, Client, SchedulerModule
from scheduler.inbox.quarantine import quarantine_of
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of
from scheduler.tasks import BaseTask, TaskOccurrence
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.life import UNTIL_SIGNAL
from scheduler.tasks.naming import arguments_of, name_of
from scheduler.tasks.recurring import RecurringTask
from scheduler.values.shown import ENCRYPTED

RUNS_SHOWN = 10

Card = dict[str, Any]


def find_task(connection: Connection, number: int) -> BaseTask:
    """Return task *number*; raises DaemonException if it is missing or cannot be loaded."""
    try:
        task = Client(connection).getTask(number)
        task.getStatus()
    except KeyError:
        if quarantine_of(connection).of(number) is not None:
            raise DaemonException(
                f"task {number} is quarantined: its class cannot be loaded"
            ) from None
        raise _unknown(number) from None
    except Exception as error:
        if is_transient(error):
            raise
        raise DaemonException(f"task {number} cannot be loaded: {reason_of(error)}") from error
    return task


def card(connection: Connection, number: int) -> Card:
    """Return the facts of task *number*; raises DaemonException if it is missing.

    A part that cannot be read is replaced by the reason.
    """
    aside = quarantine_of(connection).of(number)
    try:
        task = find_task(connection, number)
    except DaemonException as error:
        if aside is None:
            return _unread(connection, number, error)
        facts: Card = {"id": number, **_name(aside.obj)}
    else:
        facts = _card(task)
    if aside is not None:
        facts |= {"state": QUARANTINED, "since": aside.since, "reason": aside.reason}
    return facts


def _unknown(number: int) -> DaemonException:
    return DaemonException(f"there is no task {number}: see 'indico_scheduler show tasks'")


def _unread(connection: Connection, number: int, error: DaemonException) -> Card:
    """Return the facts that the lists hold of an unreadable task; else raise *error*."""
    for row in rows(SchedulerModule.getDBInstance(connection)):
        if row.id == number and row.occurrence is None:
            why = str(error) if error.__cause__ else "its class cannot be imported"
            known = {"id": number, "class": row.kind, "arguments": row.arguments}
            return {**known, "state": row.state, "reason": why}
    raise error


def _card(task: BaseTask) -> Card:
    facts: dict[str, Callable[[], Any]] = {
        "id": task.getId,
        "class": lambda: name_of(task),
        "arguments": lambda: arguments_of(task),
        "state": lambda: _situation(task),
        "created": task.getCreatedOn,
        "origin": lambda: task.getOrigin().facts(),
        "due": lambda: _due(task),
        "started": task.getStartedOn,
        "ended": task.getEndedOn,
        "expires": lambda: task.expiryDate,
        "schedule": lambda: repr(task.getSchedule()) if isinstance(task, RecurringTask) else None,
        "key": task.uniqueKey,
        "progress": task.getProgress,
        "checkpoint": lambda: TaskHandle(task).checkpoint,
        "result": lambda: _result(task),
        "undone": task.getUndoneOn,
        "attempts": lambda: [_attempt(attempt) for attempt in task.getAttempts()],
    }
    if isinstance(task, RecurringTask):
        runs = task.getOccurrences
        facts["occurrences"] = lambda: [_run(run) for run in runs()[-RUNS_SHOWN:]]
    return {name: _fact(tell) for name, tell in facts.items()}


def _situation(task: BaseTask) -> str:
    signal = TaskHandle(task).awaited if word(task) in ("waiting", "paused") else ""
    return f"{word(task)} for signal {signal}" if signal else word(task)


def _due(task: BaseTask) -> datetime | None:
    due = task.getDueOn() if word(task) in ("spooled", "waiting") else None
    return None if due is None or due.timestamp() == UNTIL_SIGNAL else due


def _name(task: Any) -> Card:
    return {"class": name_of(task), "arguments": arguments_of(task)}


def _fact(tell: Callable[[], Any]) -> Any:
    try:
        return tell()
    except Exception as error:
        if is_transient(error):
            raise
        return f"cannot be read: {reason_of(error)}"


def _run(run: TaskOccurrence) -> Card:
    return {
        "number": run.getId(),
        "state": WORDS[run.getStatus()],
        "started": run.getStartedOn(),
        "ended": run.getEndedOn(),
        "attempts": [_attempt(attempt) for attempt in run.getAttempts()],
    }


def _attempt(attempt: Attempt) -> Card:
    return {
        "number": attempt.number,
        "name": name_of_attempt(attempt),
        "state": WORDS[attempt.state],
        "started": attempt.started,
        "ended": attempt.ended,
        "seconds": attempt.duration,
        "waited": attempt.waited,
        "worker": attempt.worker,
        "version": attempt.version,
        "message": attempt.message,
        "traceback": attempt.traceback,
        "log": list(attempt.log),
        "sent": list(attempt.sent),
    }


def _result(task: BaseTask) -> str | None:
    if task.encrypted:
        return ENCRYPTED if task.getStatus() == TASK_STATUS_FINISHED else None
    result = task.getResult()
    return None if result is None else repr(result)
