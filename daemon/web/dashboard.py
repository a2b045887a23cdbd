"""The status page of the daemon, the queues and the agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any, TypeAlias

from ZODB import DB
from ZODB.Connection import Connection

from daemon.views import task_rows
from daemon.views.schedule_rows import declared_rows
from daemon.web.shipped_docs import shipped
from livesync import SyncAgent, SyncManager
from livesync.delivery.status import AgentStatus, status_of
from scheduler import Client, SchedulerModule, nowutc
from scheduler.leadership.roster import roster_of
from scheduler.store.read_view import read_view
from scheduler.values.console import as_text
from scheduler.values.legible import legible_line

ROWS = 10
REFRESH_SECONDS = 3

LOOK = (
    ("/export/categ/0.json?pretty=yes", "all events"),
    ("/health", "health"),
    ("/metrics", "metrics"),
)
"""Where to look next: the addresses, and what is there."""

Rows: TypeAlias = Sequence[Sequence[Any]]

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}a{color:#8bf}"
    "th,td{border-color:#444}}"
)


@dataclass(frozen=True)
class Panel:
    """A table of the page: its title, the column heads, and the function that returns its rows."""

    title: str
    heads: Sequence[str]
    rows: Callable[[], Rows]


class Dashboard:
    """The page of one database, with the further *panels* below its own.

    *health* returns the fault of the daemon, empty if it is healthy.
    """

    def __init__(
        self, database: DB, panels: Sequence[Panel] = (), health: Callable[[], str] = str
    ) -> None:
        self._health = health
        self._database = database
        self._panels = tuple(panels)

    def page(self) -> str:
        """Return the page of one snapshot of the database."""
        health = self._health() or "ok"
        with read_view(self._database) as connection:
            tables = [*_tables(connection, health), *self._tables_of_panels()]
        return _page("".join(tables))

    def _tables_of_panels(self) -> list[str]:
        return [_table(panel.title, panel.heads, panel.rows()) for panel in self._panels]


def _tables(connection: Connection, health: str) -> list[str]:
    module = SchedulerModule.getDBInstance(connection)
    status = module.getStatus()
    standbys = roster_of(connection).standing_by()
    running = f"running on {status['hostname']}, pid {status['pid']}"
    paused = ", paused" if module.is_paused else ""
    counts = ("spooled", "waiting", "running", "failed", "finished")
    return [
        _table(
            "Daemon",
            ("Scheduler", "AgentStatus by", "Health", "Time (UTC)"),
            [
                (
                    f"{running if status['state'] else 'not running'}{paused}",
                    ", ".join(f"{each.hostname}, pid {each.pid}" for each in standbys) or "nobody",
                    health,
                    as_text(nowutc()),
                )
            ],
        ),
        _table(
            "Queues",
            [name.capitalize() for name in counts],
            [[status[name] for name in counts]],
        ),
        _table("Running", ("Since (UTC)", "Task", "Class", "Progress"), _running(module)),
        _table("Workers", ("Worker", "State", "Task"), _workers(connection)),
        _table("Next tasks", ("Due (UTC)", "Task", "Class"), _next_tasks(module)),
        _table(
            "Schedules",
            ("Name", "Declared", "Schedule", "State", "Next (UTC)", "Last (UTC)", "Ended"),
            _schedules(Client(connection)),
        ),
        _table("Last finished", ("Ended (UTC)", "Task", "Class"), _finished(module)),
        _table(
            "Failed",
            ("Ended (UTC)", "Task", "Class", "State", "Tries", "Reason"),
            _failed(module),
        ),
        _table(
            "Conflicts",
            ("Last (UTC)", "Object", "Of class", "Tasks", "Times", "Serialized"),
            _conflicts(module),
        ),
        _table(
            "Agents",
            (
                *("Agent", "Name", "State", "Last run (UTC)", "Delivered up to (UTC)"),
                *("To deliver", "Not taken", "Why"),
            ),
            _agents(SyncManager.getDBInstance(connection)),
        ),
    ]


def _running(module: SchedulerModule) -> Rows:
    return [
        (
            as_text(row.date),
            row.name,
            row.full_title,
            as_text(module.running.progress(row.id) or ""),
        )
        for row in islice(task_rows.rows(module, "running"), ROWS)
    ]


def _workers(connection: Connection) -> Rows:
    roster = roster_of(connection)
    workers = roster.workers if roster.is_taken() else ()
    return [(worker.worker, worker.state or "ready", worker.tid or "") for worker in workers]


def _next_tasks(module: SchedulerModule) -> Rows:
    return [
        (as_text(row.date), row.name, row.full_title)
        for row in islice(task_rows.rows(module, "waiting"), ROWS)
    ]


def _schedules(client: Client) -> Rows:
    return [
        (*row[1:5], *(as_text(each) for each in row[5:7]), row.last_state)
        for row in declared_rows(client)
    ]


def _finished(module: SchedulerModule) -> Rows:
    return [
        (as_text(row.date), row.name, row.full_title)
        for row in islice(task_rows.rows(module, "finished"), ROWS)
    ]


def _failed(module: SchedulerModule) -> Rows:
    return [
        (as_text(row.date), row.name, row.full_title, row.state, row.tries or "", row.reason)
        for row in islice(task_rows.dead_letters(module), ROWS)
    ]


def _conflicts(module: SchedulerModule) -> Rows:
    return [
        (
            as_text(each.last),
            each.oid,
            each.kind,
            ", ".join(each.tasks),
            each.times,
            "yes" if each.serialized else "",
        )
        for each in task_rows.conflicts(module)[:ROWS]
    ]


def _agents(manager: SyncManager) -> Rows:
    return [_agent(agent, status_of(agent, manager)) for agent in manager.agents()]


def _agent(agent: SyncAgent, found: AgentStatus) -> Sequence[Any]:
    moment = agent.getLastDT()
    return (
        *(found.id, found.name, found.state),
        "never" if found.last_run is None else as_text(found.last_run),
        "nothing yet" if moment is None else as_text(moment),
        *(found.lag_records, found.waiting + found.dead),
        _error(found),
    )


def _error(found: AgentStatus) -> str:
    date = "" if found.last_error_at is None else f"{as_text(found.last_error_at)} "
    return "" if found.last_error is None else date + found.last_error


def _table(title: str, heads: Sequence[str], rows: Rows) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(legible_line(str(cell)))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    empty = f'<tr><td colspan="{len(heads)}">none</td></tr>'
    return (
        f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{lines or empty}</tbody></table>"
    )


def _links() -> str:
    folder = shipped("docs")
    files = sorted(folder.glob("*.md")) if folder else []
    documents = "".join(_link(f"/docs/{file.name}", file.stem) for file in files)
    return f"<nav>Look at {''.join(_link(*link) for link in LOOK)}</nav><nav>Read {documents}</nav>"


def _link(address: str, name: str) -> str:
    return f'<a href="{escape(address)}">{escape(name)}</a> '


def _page(content: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f'<link rel="icon" href="data:,"><title>zodb-relay</title><style>{STYLE}</style></head>'
        f"<body><h1>zodb-relay</h1>{_links()}{content}</body></html>\n"
    )
