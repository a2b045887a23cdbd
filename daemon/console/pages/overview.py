"""The overview: whether everything is well, how it went lately, and what goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from daemon.console.chart import Chart, ChartSeries
from daemon.console.page import ConsolePage, Facts
from daemon.console.rendering import duration, number
from daemon.console.visit import Visit
from daemon.views import task_rows
from daemon.views.problems import problems_of
from daemon.views.schedule_rows import declared_rows
from livesync import SyncManager
from livesync.delivery.status import status_of
from scheduler import Client, SchedulerModule, nowutc
from scheduler.leadership.roster import Roster, roster_of
from scheduler.shelves.figures import (
    DAY,
    HOUR,
    MINUTE,
    SPANS,
    WEEK,
    Slot,
    Span,
    Steps,
    figures_of,
    quantile,
)
from scheduler.tasks.naming import name_of

ROWS = 8
NAMES = {HOUR: "hour", DAY: "day", WEEK: "week"}


class WorkerRow(NamedTuple):
    """A worker, and what it does since when."""

    name: str
    state: str
    task: int | None = None
    title: str = ""
    since: datetime | None = None


def _facts(visit: Visit) -> Facts:
    connection = visit.connection
    module, roster = SchedulerModule.getDBInstance(connection), roster_of(connection)
    manager = SyncManager.getDBInstance(connection)
    wanted = visit.query.get("span", "hour")
    span = next((span for span in SPANS if NAMES[span] == wanted), HOUR)
    slots = figures_of(connection).series(span, nowutc().timestamp())
    return {
        "problems": problems_of(connection, visit.health()),
        "status": module.getStatus(),
        "is_paused": module.is_paused,
        "spans": NAMES.values(),
        "span": NAMES[span],
        "charts": _charts(slots, span),
        "begin": _date(slots[0].minute),
        "roster": roster,
        "standbys": roster.standing_by(),
        "workers": list(_workers(module, roster)),
        "failed": list(islice(task_rows.dead_letters(module), ROWS)),
        "next": list(islice(task_rows.rows(module, "waiting"), ROWS)),
        "finished": list(islice(task_rows.rows(module, "finished"), ROWS)),
        "schedules": list(declared_rows(Client(connection))),
        "agents": [status_of(agent, manager) for agent in manager.agents()],
    }


def _workers(module: SchedulerModule, roster: Roster) -> Iterator[WorkerRow]:
    for worker in roster.workers if roster.is_taken() else ():
        claim = module.running.claim(worker.tid)
        if claim is None or claim.number != worker.number:
            yield WorkerRow(worker.worker, worker.state or "ready")
        else:
            title = name_of(module.running.task(worker.tid))
            since = datetime.fromtimestamp(claim.since, UTC)
            state = worker.state or "running"
            yield WorkerRow(worker.worker, state, worker.tid, title, since)


def _charts(slots: Sequence[Slot], span: Span) -> list[Chart]:
    dates = [_date(slot.minute) for slot in slots]
    ended = [
        ChartSeries("finished", [slot.finished for slot in slots], "good"),
        ChartSeries("another attempt", [slot.put_off for slot in slots], "calm"),
        ChartSeries("failed", [slot.failed for slot in slots], "bad"),
    ]
    waiting = ChartSeries("at most", [slot.waiting for slot in slots], "calm")
    late = ChartSeries("for", [slot.late for slot in slots], "warn")
    each = "minute" if span == HOUR else duration(span.minutes * MINUTE)
    return [
        Chart(f"Attempts per {each}", dates, ended, number, is_stacked=True),
        Chart("Tasks that wait", dates, [waiting], number, is_stacked=True),
        Chart("Wait for a worker", dates, _quantiles(slot.waits for slot in slots), duration),
        Chart("Oldest task is due", dates, [late], duration, is_stacked=True),
        Chart("Run", dates, _quantiles(slot.durations for slot in slots), duration),
        Chart("Commit", dates, _quantiles(slot.commits for slot in slots), duration),
    ]


def _quantiles(slots: Iterable[Steps]) -> list[ChartSeries]:
    steps = list(slots)
    return [
        ChartSeries("p95", [quantile(each, 0.95) for each in steps], "warn"),
        ChartSeries("p50", [quantile(each, 0.5) for each in steps], "busy"),
    ]


def _date(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * MINUTE, UTC)


PAGE = ConsolePage("/", "overview.html", _facts, label="Overview")
