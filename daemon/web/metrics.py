"""The metrics: the queues and the agents in numbers, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from ZODB import DB
from ZODB.Connection import Connection

from livesync import SyncManager
from livesync.delivery.status import AgentStatus, status_of
from scheduler import SchedulerModule
from scheduler.store.read_view import snapshot
from scheduler.values.legible import legible

CONTENT_TYPE = "text/plain; version=0.0.4"

Sample: TypeAlias = tuple[dict[str, str], float]

COUNTS = ("spooled", "waiting", "running", "failed", "finished")
AGENTS = (
    ("lag_records", "gauge", "Changes that are not delivered yet."),
    ("lag_seconds", "gauge", "How old the oldest of them is."),
    ("waiting", "gauge", "Records that were not taken and are sent again."),
    ("dead", "gauge", "Records that are not sent again by themselves."),
    ("delivered", "counter", "Records that were taken."),
    ("retries", "counter", "Runs that failed."),
    ("batch_seconds", "gauge", "How long the last batch took."),
    ("batches", "counter", "Batches that were taken."),
    ("batches_seconds", "counter", "How long they took."),
)
"""The metrics of an agent: the attribute of AgentStatus, its kind, and its meaning."""


class Metrics:
    """The metrics of one database; *health* says what is wrong with the daemon."""

    def __init__(self, database: DB, health: Callable[[], str] = str) -> None:
        self._database = database
        self._health = health

    def text(self) -> str:
        """Return the numbers as they are now, from one snapshot of the database."""
        healthy = _family(
            "relay_healthy",
            "gauge",
            "Whether the daemon can do its work, as /health says.",
            [({}, not self._health())],
        )
        with snapshot(self._database) as connection:
            families = (healthy, *_scheduler(connection), *_agents(connection))
            return "".join(families) + _family(
                "relay_database_bytes",
                "gauge",
                "How large the database is.",
                [({}, self._database.getSize())],
            )


def _scheduler(connection: Connection) -> Iterator[str]:
    module = SchedulerModule.getDBInstance(connection)
    status = module.getStatus()
    yield _family(
        "relay_scheduler_running",
        "gauge",
        "Whether a scheduler runs.",
        [({}, bool(status["state"]))],
    )
    yield _family(
        "relay_scheduler_paused",
        "gauge",
        "Whether it was told to begin nothing.",
        [({}, bool(module.is_paused))],
    )
    yield _family(
        "relay_tasks",
        "gauge",
        "Tasks by where they stand.",
        [({"state": name}, status[name]) for name in COUNTS],
    )


def _agents(connection: Connection) -> Iterator[str]:
    manager = SyncManager.getDBInstance(connection)
    found = [status_of(agent, manager) for agent in manager.agents()]
    yield _family(
        "relay_agent_state",
        "gauge",
        "Which state each agent is in.",
        [({"agent": each.id, "state": each.state}, 1) for each in found],
    )
    for name, kind, about in AGENTS:
        ending = "_total" if kind == "counter" else ""
        yield _family(f"relay_agent_{name}{ending}", kind, about, _of_each(found, name))


def _of_each(statuses: Iterable[AgentStatus], name: str) -> list[Sample]:
    return [({"agent": each.id}, getattr(each, name)) for each in statuses]


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = "".join(f"{name}{_labels(labels)} {float(value)!r}\n" for labels, value in samples)
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n{lines}"


def _labels(labels: dict[str, str]) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{shown}}}" if shown else ""


def _escaped(value: str) -> str:
    return legible(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
