"""The metrics of tasks, named queues and agents, in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from ZODB import DB
from ZODB.Connection import Connection

from livesync import SyncManager
from livesync.capture import escapes
from livesync.delivery.status import AgentStatus, status_of
from scheduler import Client, SchedulerModule
from scheduler.store.read_view import read_view
from scheduler.tasks import name_of
from scheduler.values.legible import legible

CONTENT_TYPE = "text/plain; version=0.0.4"

Sample: TypeAlias = tuple[dict[str, str], float]

COUNTS = ("spooled", "waiting", "running", "failed", "finished")
AGENTS = (
    ("lag_changes", "lag_records", "gauge", "Changes that are not delivered yet."),
    ("lag_seconds", "lag_seconds", "gauge", "Age of the oldest change not delivered yet."),
    ("waiting_records", "waiting", "gauge", "Refused records that are sent again."),
    ("dead_letters", "dead", "gauge", "Refused records that are not sent again."),
    ("delivered_records_total", "delivered", "counter", "Records that the target accepted."),
    ("failed_runs_total", "retries", "counter", "Runs of the agent that failed."),
    ("last_batch_seconds", "batch_seconds", "gauge", "Duration of the last batch."),
    ("batches_total", "batches", "counter", "Batches that the target accepted."),
    ("batches_seconds_total", "batches_seconds", "counter", "Duration of all batches."),
)
"""The metrics of an agent: the name, the attribute of AgentStatus, the type and the help text."""


class Metrics:
    """The metrics of one database; *health* returns the fault of the daemon."""

    def __init__(self, database: DB, health: Callable[[], str] = str) -> None:
        self._database = database
        self._health = health

    def text(self) -> str:
        """Return the metrics of one snapshot of the database."""
        healthy = _family(
            "relay_healthy",
            "gauge",
            "Whether the daemon is healthy, as /health reports.",
            [({}, not self._health())],
        )
        with read_view(self._database) as connection:
            families = (healthy, *_scheduler(connection), *_agents(connection))
            return "".join(families) + _family(
                "relay_database_bytes",
                "gauge",
                "Size of the database.",
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
        "Whether the scheduler is paused.",
        [({}, bool(module.is_paused))],
    )
    yield _family(
        "relay_tasks",
        "gauge",
        "Tasks by state.",
        [({"state": name}, status[name]) for name in COUNTS],
    )
    running = Counter(map(name_of, module.getRunningList()))
    yield _family(
        "relay_running_tasks",
        "gauge",
        "Running tasks by name: of their class, or of the function that they call.",
        [({"task": name}, number) for name, number in sorted(running.items())],
    )
    queues = Client(connection).getQueues()
    yield _family(
        "relay_queue_tasks",
        "gauge",
        "Tasks of each named queue by state.",
        [
            ({"queue": name, "state": state}, facts[state])
            for name, facts in queues.items()
            for state in ("waiting", "running")
        ],
    )


def _agents(connection: Connection) -> Iterator[str]:
    manager = SyncManager.getDBInstance(connection)
    found = [status_of(agent, manager) for agent in manager.agents()]
    yield _family(
        "relay_agent_state",
        "gauge",
        "State of each agent.",
        [({"agent": each.id, "state": each.state}, 1) for each in found],
    )
    yield _family(
        "relay_escaped_transactions",
        "gauge",
        "Transactions with changes of watched classes that are not recorded.",
        [({}, escapes.count(connection))],
    )
    for name, attribute, kind, about in AGENTS:
        yield _family(f"relay_agent_{name}", kind, about, _of_each(found, attribute))


def _of_each(standings: Iterable[AgentStatus], name: str) -> list[Sample]:
    return [({"agent": each.id}, getattr(each, name)) for each in standings]


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = "".join(f"{name}{_labels(labels)} {float(value)!r}\n" for labels, value in samples)
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n{lines}"


def _labels(labels: dict[str, str]) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{shown}}}" if shown else ""


def _escaped(value: str) -> str:
    return legible(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
