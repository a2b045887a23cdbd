"""The rows of schedules: each recurring task with its next date and its last attempt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple

from ZODB.utils import u64

from daemon.views.task_rows import WORDS, word
from scheduler import Client, SchedulerModule, TaskFilter
from scheduler.shelves.walk import walk
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of
from scheduler.tasks.naming import name_of
from scheduler.tasks.recurring import RecurringTask


class ScheduleRow(NamedTuple):
    """One schedule: its task, where it was declared, its next date and its last attempt."""

    id: int
    name: str
    """The full name of the function, or of the task's class."""

    declared: str
    """"yes" for one that a function declares, "vanished" if it does no more; "no" for others."""

    schedule: str
    state: str
    next: datetime | None
    """When the next attempt is due; None while it runs, is paused, or has no date left."""

    last: datetime | None
    """When the last attempt ended."""

    last_state: str
    """How it ended; empty before the first one has."""

    reason: str
    """Why it did not finish."""


def declared_rows(client: Client) -> Iterator[ScheduleRow]:
    """Yield the declared schedules, by name."""
    for entry in client.getSchedules().values():
        yield _row(entry.task, "yes" if entry.is_declared else "vanished")


def schedule_row(task: RecurringTask, client: Client) -> ScheduleRow:
    """Return the row of the schedule by which *task* is run."""
    declared = (row for row in declared_rows(client) if row.id == u64(task._p_oid))
    return next(declared, None) or _row(task, "no")


def schedule_rows(
    client: Client, module: SchedulerModule, looked_at: int | None = None
) -> Iterator[ScheduleRow]:
    """Yield the declared schedules, by name, and then all other recurring tasks at work.

    For these the first *looked_at* waiting tasks and as many paused ones are looked at; all, if
    that is None.
    """
    met = {entry.task for entry in client.getSchedules().values()}
    yield from declared_rows(client)
    waiting = (task for _, task in module.queues)
    paused = (found.task for found in walk(module, TaskFilter(state="paused")))
    for task in chain(module.running, islice(waiting, looked_at), islice(paused, looked_at)):
        if isinstance(task, RecurringTask) and task not in met:
            met.add(task)
            yield _row(task, "no")


def _row(task: RecurringTask, declared: str) -> ScheduleRow:
    row = ScheduleRow(u64(task._p_oid), name_of(task), declared, "", "", None, None, "", "")
    try:
        # State and rule are known without the function, which may be gone from the code.
        row = row._replace(state=word(task), schedule=repr(task.getSchedule()))
        return row._replace(**_dates(task, row.state))
    except Exception as error:
        if is_transient(error):
            raise
        return row._replace(reason=f"cannot be read: {reason_of(error)}")


def _dates(task: RecurringTask, state: str) -> dict[str, Any]:
    due = task.getDueOn() if state in ("waiting", "spooled") else None
    last = _last_attempt(task)
    if last is None:
        return {"next": due}
    facts = {"last": last.ended, "last_state": WORDS[last.state], "reason": last.message}
    return {"next": due, **facts}


def _last_attempt(task: RecurringTask) -> Any:
    attempts = task.getAttempts()
    if not attempts:
        occurrences = task.getOccurrences()
        attempts = occurrences[-1].getAttempts() if occurrences else ()
    return attempts[-1] if attempts else None
