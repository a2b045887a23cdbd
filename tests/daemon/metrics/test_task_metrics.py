"""What the leader counts: each attempt once, by its task, its queue and how it ended.

Covers `daemon.metrics.labels`, `scheduler.worker.measure`, `scheduler.dispatch.tick_counts`.
"""

from __future__ import annotations

import os
import signal
from typing import ClassVar

import pytest
from prometheus_client import CollectorRegistry

from daemon.metrics.task_metrics import MOST_SERIES, TaskMetrics
from scheduler import Client, TaskDelayed, nowutc
from scheduler.dispatch.tick_counts import TickCounts
from scheduler.hooks import add, remove
from scheduler.store import transact
from scheduler.tasks import OneShotTask
from scheduler.tasks.retry import Retry
from scheduler.worker.measure import Measure
from tests.scheduler.harness import running
from tests.waiting import wait_for


class Passes(OneShotTask):
    queueName = "mail"

    def run(self):
        pass


class FailsOnce(OneShotTask):
    maxTries = 3
    retries: ClassVar = {ValueError: Retry(first=0.01)}

    def run(self):
        if len(self.getAttempts()) == 0:
            raise ValueError("not yet")


class Fails(OneShotTask):
    maxTries = 1

    def run(self):
        raise ValueError("never")


class Delayed(OneShotTask):
    def run(self):
        if not self.getAttempts():
            raise TaskDelayed(0.01)


class KillsItsWorker(OneShotTask):
    maxTries = 1

    def run(self):
        os.kill(os.getpid(), signal.SIGKILL)


ENDED = ("finished", "failed")
ALL = (Passes, FailsOnce, Fails, Delayed, KillsItsWorker)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    metrics = TaskMetrics(registry)
    add(metrics)
    yield metrics
    remove(metrics)


def value(registry, name, kind, queue="ordinary", **more):
    labels = {"task": f"{kind.__module__}.{kind.__qualname__}", "queue": queue, **more}
    return registry.get_sample_value(f"relay_{name}", labels)


def test_each_attempt_is_counted_by_the_leader(database, registry, metrics):
    def enqueue(connection):
        for kind in ALL:
            Client(connection).enqueue(kind(nowutc()))

    def ended():
        return transact(database, lambda own: sum(map(Client(own).getStatus().get, ENDED)))

    with running(database, multitask_mode="processes", workers=1) as run:
        run.scheduler.on_commit.append(metrics.note)
        transact(database, enqueue)
        wait_for(lambda: ended() == len(ALL), what="the end of the tasks")
    states = {
        kind.__name__: {
            state: value(registry, "attempts_total", kind, queue, state=state)
            for state in ("succeeded", "retried", "dead", "put off")
        }
        for kind, queue in ((each, each.queueName or "ordinary") for each in ALL)
    }
    assert states == {
        "Passes": {"succeeded": 1, "retried": 0, "dead": 0, "put off": 0},
        "FailsOnce": {"succeeded": 1, "retried": 1, "dead": 0, "put off": 0},
        "Fails": {"succeeded": 0, "retried": 0, "dead": 1, "put off": 0},
        "Delayed": {"succeeded": 1, "retried": 0, "dead": 0, "put off": 1},
        "KillsItsWorker": {"succeeded": 0, "retried": 0, "dead": 1, "put off": 0},
    }
    assert value(registry, "attempts_lost_total", KillsItsWorker) == 1
    assert registry.get_sample_value("relay_workers_lost_total") == 1
    assert value(registry, "attempts_failed_total", FailsOnce) == 1
    assert value(registry, "attempts_started_total", FailsOnce) == 2
    for name in ("wait", "run", "commit"):
        assert value(registry, f"task_{name}_seconds_count", Passes, "mail") == 1
    for kind in (FailsOnce, Fails, Delayed):
        assert value(registry, "task_wait_seconds_sum", kind) < 3600
    for by in ("scheduler", "workers"):
        assert registry.get_sample_value("relay_commits_total", {"by": by}) >= 2


def test_more_tasks_than_there_may_be_series_are_others(registry, metrics):
    names = [f"shop.Task{number}" for number in range(MOST_SERIES + 7)]
    metrics.note(TickCounts([(name, "") for name in names], [], [("shop.New", 3)], False))
    found = [
        sample.labels["task"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "relay_tasks_enqueued_total"
    ]
    assert len(found) == MOST_SERIES + 1
    others = {"task": "other", "queue": "other"}
    assert registry.get_sample_value("relay_tasks_enqueued_total", others) == 7
    assert registry.get_sample_value("relay_task_conflicts_total", {"task": "other"}) == 3


def test_a_commit_that_several_attempts_share_is_one(registry, metrics):
    one = Measure("shop.A", "", 1, committed=0.5, ending="succeeded")
    metrics.note(TickCounts([], [one, one._replace(shared=True)], [], True))
    assert registry.get_sample_value("relay_commits_total", {"by": "workers"}) == 1
    assert registry.get_sample_value("relay_commits_total", {"by": "scheduler"}) == 1


def test_odd_names_are_legible_and_short(registry, metrics):
    metrics.note(TickCounts([("shop.\u202e\n" + "x" * 500, "q\x00")], [], [], False))
    ((labels, number),) = [
        (sample.labels, sample.value)
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "relay_tasks_enqueued_total"
    ]
    assert number == 1
    assert labels["queue"] == r"q\u0000"
    assert labels["task"].startswith(r"shop.\u202e\n")
    assert len(labels["task"]) <= 120
