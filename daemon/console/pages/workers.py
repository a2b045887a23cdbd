"""The workers: what each does and since when, and the schedulers that lead and stand by."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from daemon.console.page import Action, ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.views import task_rows
from export.people.roles import Role
from scheduler import Client, SchedulerModule
from scheduler.leadership.roster import Roster, WorkerInfo, roster_of

READY = "ready"
RUNNING = "running"


class WorkerTask(NamedTuple):
    """A worker with its task, and since when it has that."""

    name: str
    state: str
    task: int | None
    title: str
    since: datetime | None
    progress: str


def _facts(visit: Visit) -> Facts:
    module = SchedulerModule.getDBInstance(visit.connection)
    roster = roster_of(visit.connection)
    return {
        "leader": roster if roster.is_taken() else None,
        "standbys": roster.standing_by(),
        "rows": _workers(module, roster),
        "is_paused": module.is_paused,
        "action": RELOAD,
    }


def _workers(module: SchedulerModule, roster: Roster) -> list[WorkerTask]:
    if not roster.is_taken():
        return []
    running = {row.id: row for row in task_rows.rows(module, RUNNING)}
    return [_row(module, worker, running) for worker in roster.workers]


def _row(
    module: SchedulerModule, worker: WorkerInfo, running: dict[int, task_rows.Row]
) -> WorkerTask:
    row = running.get(worker.tid)
    if row is None:
        return WorkerTask(worker.worker, worker.state or READY, None, "", None, "")
    progress = module.running.progress(row.id) or ""
    state = worker.state or RUNNING
    return WorkerTask(worker.worker, state, row.id, row.full_title, row.date, str(progress))


def _reload(visit: Visit) -> str:
    Client(visit.connection).reloadWorkers()
    return "The workers are replaced one by one, by such with the present code"


PAGE = ConsolePage("/workers", "workers.html", _facts, label="Workers")
RELOAD = Action("/workers/reload", _reload, PAGE, Role.ADMIN)
ACTIONS = (RELOAD,)
