"""The overview: whether everything is well, and what goes on."""

from __future__ import annotations

from itertools import islice

from daemon.console.page import ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.views import task_rows
from daemon.views.schedule_rows import declared_rows
from livesync import SyncManager
from livesync.delivery.status import status_of
from scheduler import Client, SchedulerModule
from scheduler.leadership.roster import roster_of

ROWS = 10


def _facts(visit: Visit) -> Facts:
    module = SchedulerModule.getDBInstance(visit.connection)
    manager = SyncManager.getDBInstance(visit.connection)
    roster = roster_of(visit.connection)
    return {
        "status": module.getStatus(),
        "is_paused": module.is_paused,
        "standbys": roster.standing_by(),
        "workers": roster.workers if roster.is_taken() else (),
        "running": list(islice(task_rows.rows(module, "running"), ROWS)),
        "progress": module.running.progress,
        "next": list(islice(task_rows.rows(module, "waiting"), ROWS)),
        "schedules": list(declared_rows(Client(visit.connection))),
        "finished": list(islice(task_rows.rows(module, "finished"), ROWS)),
        "failed": list(islice(task_rows.dead_letters(module), ROWS)),
        "conflicts": task_rows.conflicts(module)[:ROWS],
        "agents": [status_of(agent, manager) for agent in manager.agents()],
    }


PAGE = ConsolePage("/", "overview.html", _facts, label="Overview")
