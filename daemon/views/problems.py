"""The problems: what is not well with tasks, agents and the daemon, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from ZODB.Connection import Connection

from livesync import SyncManager
from livesync.capture.escapes import REMEDY, escapes_of
from livesync.delivery.status import (
    CUT_OFF,
    FAILING,
    MISSING,
    NOT_RUN,
    AgentStatus,
    status_of,
)
from scheduler import SchedulerModule, nowutc
from scheduler.leadership.roster import roster_of
from scheduler.states import TASK_STATUS_ABORTED
from scheduler.storage.outage import is_transient

RECENT = timedelta(days=1)
READ = 50
"""How many failed tasks are read, the newest ones."""

REMEDIES = {
    FAILING: "see why, and whether its target is up; it goes on by itself when it is",
    NOT_RUN: "start `indico_livesync follow`, or set push = true in [livesync]",
    CUT_OFF: "changes that it had not sent are gone: make a full export",
    MISSING: "install the code of its class",
}


@dataclass(frozen=True)
class Problem:
    """Something that is not well."""

    text: str
    remedy: str
    """The way to mend it."""

    page: str
    """The address of the page that tells more."""

    since: datetime | None = None
    is_grave: bool = True
    """Whether work is not done, or is lost; else somebody may have meant it."""


def problems_of(connection: Connection, fault: str = "") -> list[Problem]:
    """Return the problems, grave ones first; *fault* is that of the daemon's health."""
    found = [*_of_the_daemon(connection, fault), *_of_tasks(connection), *_of_agents(connection)]
    return sorted(found, key=lambda problem: not problem.is_grave)


def _of_the_daemon(connection: Connection, fault: str) -> Iterator[Problem]:
    module, roster = SchedulerModule.getDBInstance(connection), roster_of(connection)
    if fault:
        yield Problem(fault, "see the log of the daemon", "/workers")
    elif not roster.is_taken():
        yield Problem("No scheduler runs", "run `indico_scheduler start`", "/workers")
    if module.is_paused:
        yield Problem(
            "The scheduler is paused: no task is given to a worker",
            "run `indico_scheduler cmd resume` when it may go on",
            "/queues",
            is_grave=False,
        )


def _of_tasks(connection: Connection) -> Iterator[Problem]:
    module = SchedulerModule.getDBInstance(connection)
    dates = list(_failures(module))
    if dates:
        many = f"{READ} tasks or more have" if len(dates) >= READ else _tasks(len(dates))
        yield Problem(
            f"{many} failed for good within a day",
            "see why, mend the cause, and retry",
            "/tasks?state=failed",
            min(dates),
        )
    aside = list(islice(module.aside(), READ))
    if aside:
        yield Problem(
            f"{_tasks(len(aside))} been put in quarantine: code cannot be loaded",
            "install the code, and run `indico_scheduler cmd retry --all`",
            "/tasks?state=quarantined",
            min((entry.since for entry in aside if entry.since is not None), default=None),
        )


def _failures(module: SchedulerModule) -> Iterator[datetime]:
    """Yield when the newest failed tasks ended, those of a day."""
    least = (nowutc() - RECENT).timestamp()
    for second, element in islice(module.getFailedIndex().newest(), READ):
        if second < least:
            return
        if not _is_cancelled(element):
            yield datetime.fromtimestamp(second, nowutc().tzinfo)


def _is_cancelled(element: Any) -> bool:
    try:
        return bool(element.getStatus() == TASK_STATUS_ABORTED)
    except Exception as error:
        if is_transient(error):
            raise
        return False  # its class may be gone


def _of_agents(connection: Connection) -> Iterator[Problem]:
    manager = SyncManager.getDBInstance(connection)
    for agent in manager.agents():
        yield from _of_agent(status_of(agent, manager))
    escapes = list(escapes_of(connection))
    if escapes:
        yield Problem(f"{len(escapes)} changes were not recorded", REMEDY, "/agents")


def _of_agent(found: AgentStatus) -> Iterator[Problem]:
    page = f"/agents/{found.id}"
    if found.state in REMEDIES:
        why = f": {found.last_error}" if found.last_error else ""
        remedy = REMEDIES[found.state]
        yield Problem(f"Agent {found.id} is {found.state}{why}", remedy, page, found.last_error_at)
    if found.dead:
        yield Problem(
            f"Agent {found.id} has {found.dead} dead letters",
            "see why the target refused them, and send them again or drop them",
            page,
        )


def _tasks(count: int) -> str:
    return "1 task has" if count == 1 else f"{count} tasks have"
