"""The numbers that one snapshot of the database tells: tasks, queues, workers and agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from ZODB import DB
from ZODB.Connection import Connection

from daemon.metrics.labels import queue_label, shown_label
from livesync import SyncManager
from livesync.capture import escapes
from livesync.delivery.status import AgentStatus, status_of
from scheduler import Client, SchedulerModule, nowutc
from scheduler.leadership.roster import roster_of
from scheduler.store.read_view import read_view
from scheduler.tasks import name_of

COUNTS = ("spooled", "waiting", "running", "failed", "finished")
AGENTS = (
    ("lag_changes", "lag_records", "gauge", "Changes that are not delivered yet."),
    ("lag_seconds", "lag_seconds", "gauge", "Age of the oldest change not delivered yet."),
    ("waiting_records", "waiting", "gauge", "Refused records that are sent again."),
    ("dead_letters", "dead", "gauge", "Refused records that are not sent again."),
    ("delivered_records", "delivered", "counter", "Records that the target accepted."),
    ("failed_runs", "retries", "counter", "Runs of the agent that failed."),
    ("last_batch_seconds", "batch_seconds", "gauge", "Duration of the last batch."),
    ("batches", "batches", "counter", "Batches that the target accepted."),
    ("batches_seconds", "batches_seconds", "counter", "Duration of all batches."),
)
"""The metrics of an agent: the name, the attribute of AgentStatus, the type and the help text."""

MOST_QUEUES = 100
"""How many named queues have numbers of their own, the first ones by name."""

Samples = Iterable[tuple[tuple[str, ...], float]]


class DatabaseMetrics(Collector):
    """Reads the numbers of *database* when they are asked for, and writes nothing.

    *health* returns the fault of the daemon, *leads* whether its scheduler leads.
    """

    def __init__(self, database: DB, health: Callable[[], str], leads: Callable[[], bool]) -> None:
        self._database = database
        self._health = health
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        """Yield the families of one snapshot."""
        yield _one("healthy", "Whether the daemon is healthy, as /health says.", not self._health())
        yield _one("leading", "Whether the scheduler of this daemon leads.", self._leads())
        with read_view(self._database) as connection:
            yield from _scheduler(connection)
            yield from _queues(connection)
            yield from _workers(connection)
            yield from _agents(connection)
        yield _one("database_bytes", "Size of the database.", self._database.getSize())


def _scheduler(connection: Connection) -> Iterator[Metric]:
    module = SchedulerModule.getDBInstance(connection)
    status = module.getStatus()
    yield _one("scheduler_running", "Whether a scheduler runs.", bool(status["state"]))
    yield _one("scheduler_paused", "Whether the scheduler is paused.", bool(module.is_paused))
    counts = [((name,), status[name]) for name in COUNTS]
    yield _gauge("tasks", "Tasks by state.", ("state",), counts)
    running = Counter(map(name_of, module.getRunningList()))
    yield _gauge(
        "running_tasks",
        "Running tasks by name: of their class, or of the function that they call.",
        ("task",),
        [((shown_label(name),), number) for name, number in sorted(running.items())],
    )


def _queues(connection: Connection) -> Iterator[Metric]:
    module = SchedulerModule.getDBInstance(connection)
    named = sorted(Client(connection).getQueues().items())
    status = module.getStatus()
    rest = {
        state: max(0, status[state] - sum(facts[state] for _, facts in named))
        for state in ("waiting", "running")
    }
    found = [("", rest), *islice(named, MOST_QUEUES)]
    yield _gauge(
        "queue_tasks",
        "Tasks of each queue by state.",
        ("queue", "state"),
        [((queue_label(name), state), facts[state]) for name, facts in found for state in rest],
    )
    yield _gauge(
        "queue_oldest_seconds",
        "For how long the oldest waiting task of each queue has been due; 0 if none is.",
        ("queue",),
        [((queue_label(name),), _overdue(module, name)) for name, _ in found],
    )


def _overdue(module: SchedulerModule, queue: str) -> float:
    first = next(module.queues.behind(None, queue), None)
    return 0.0 if first is None else max(0.0, nowutc().timestamp() - first[0] / 1e6)


def _workers(connection: Connection) -> Iterator[Metric]:
    roster = roster_of(connection)
    running = SchedulerModule.getDBInstance(connection).running
    states = Counter(busy=0, idle=0)
    for each in roster.workers if roster.is_taken() else ():
        claim = running.claim(each.tid)
        # The note of a worker may be older than the end of its attempt.
        is_busy = claim is not None and claim.number == each.number
        states[each.state or ("busy" if is_busy else "idle")] += 1
    yield _gauge(
        "workers",
        "Workers: busy for a second or longer, idle, or why they do not work.",
        ("state",),
        [((state,), number) for state, number in states.items()],
    )
    standing_by = sum(1 for _ in roster.standing_by())
    yield _one("standbys", "Schedulers that stand by.", standing_by)


def _agents(connection: Connection) -> Iterator[Metric]:
    manager = SyncManager.getDBInstance(connection)
    found = [status_of(agent, manager) for agent in manager.agents()]
    states = [((shown_label(each.id), each.state), 1.0) for each in found]
    yield _gauge("agent_state", "State of each agent.", ("agent", "state"), states)
    yield _one(
        "escaped_transactions",
        "Transactions with changes of watched classes that are not recorded.",
        escapes.count(connection),
    )
    for name, attribute, kind, about in AGENTS:
        family = _gauge if kind == "gauge" else _counter
        yield family(f"agent_{name}", about, ("agent",), _of_each(found, attribute))


def _of_each(found: Iterable[AgentStatus], attribute: str) -> Samples:
    return [((shown_label(each.id),), getattr(each, attribute)) for each in found]


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"relay_{name}", about, value=float(value))


def _gauge(name: str, about: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    return _filled(GaugeMetricFamily(f"relay_{name}", about, labels=labels), samples)


def _counter(name: str, about: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    return _filled(CounterMetricFamily(f"relay_{name}", about, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    # Two names that are shortened alike are one: a series that came twice would spoil the whole.
    summed: Counter[tuple[str, ...]] = Counter()
    for labels, value in samples:
        summed[labels] += float(value)  # type: ignore[assignment]
    for labels, value in summed.items():
        family.add_metric(labels, value)
    return family
