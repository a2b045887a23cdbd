"""The conflicts: the objects that tasks wrote at the same time, within a day."""

from __future__ import annotations

from daemon.console.page import ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.views import task_rows
from scheduler import SchedulerModule


def _facts(visit: Visit) -> Facts:
    return {"rows": task_rows.conflicts(SchedulerModule.getDBInstance(visit.connection))}


PAGE = ConsolePage("/conflicts", "conflicts.html", _facts, label="Conflicts")
