"""The card of a task: everything that is known of it, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ZODB.Connection import Connection

from daemon.errors import DaemonException
from daemon.listing import QUARANTINED, WORDS, Row, full_name, quarantined, word
from scheduler import Client, SchedulerModule
from scheduler.tasks import BaseTask, TaskOccurrence
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.recurring import RecurringTask

RUNS_SHOWN = 10

Card = dict[str, Any]


def find_task(connection: Connection, number: int) -> BaseTask:
    """Return the task with this *number*; raises DaemonException if there is none to be had."""
    try:
        task = Client(connection).getTask(number)
        task.getStatus()
    except KeyError:
        is_aside = any(row.id == number for row in _quarantined(connection))
        raise DaemonException(
            f"task {number} is quarantined: its class cannot be loaded"
            if is_aside
            else f"there is no task {number}: see 'indico_scheduler show tasks'"
        ) from None
    except Exception as error:
        raise DaemonException(
            f"task {number} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return task


def card(connection: Connection, number: int) -> Card:
    """Return what there is to know of task *number*; raises DaemonException as find_task does."""
    for row in _quarantined(connection):
        if row.id == number:
            return {
                "id": number,
                "class": row.kind,
                "state": QUARANTINED,
                "since": row.date,
                "reason": row.reason,
            }
    return _card(find_task(connection, number))


def _quarantined(connection: Connection) -> Iterator[Row]:
    return quarantined(SchedulerModule.getDBInstance(connection))


def _card(task: BaseTask) -> Card:
    facts: Card = {
        "id": task.getId(),
        "class": full_name(task),
        "state": word(task),
        "created": task.getCreatedOn(),
        "due": task.getDueOn() if word(task) in ("spooled", "waiting") else None,
        "started": task.getStartedOn(),
        "ended": task.getEndedOn(),
        "expires": task.expiryDate,
        "schedule": repr(task.getSchedule()) if isinstance(task, RecurringTask) else None,
        "key": task.uniqueKey(),
        "progress": task.getProgress(),
        "result": _result(task),
        "undone": task.getUndoneOn(),
        "attempts": [_attempt(attempt) for attempt in task.getAttempts()],
    }
    if isinstance(task, RecurringTask):
        facts["occurrences"] = [_run(run) for run in task.getOccurrences()[-RUNS_SHOWN:]]
    return facts


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
        "state": WORDS[attempt.state],
        "started": attempt.started,
        "ended": attempt.ended,
        "seconds": attempt.duration,
        "worker": attempt.worker,
        "version": attempt.version,
        "message": attempt.message,
        "traceback": attempt.traceback,
        "log": list(attempt.log),
    }


def _result(task: BaseTask) -> str | None:
    if task.getResult() is None:
        return None
    try:
        return repr(task.getResult())
    except Exception as error:  # noqa: BLE001 (it may be any object of the application)
        return f"cannot be shown: {type(error).__name__}: {error}"
