"""Benchmarks of the scheduler at work: enqueue, drain."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from scheduler import SchedulerModule, TaskFilter, nowutc, task
from scheduler.tasks.call import call_of
from tests.bench import peers
from tests.bench.ground import (
    clients_side_by_side,
    commits,
    enqueue,
    fresh,
    insertions,
    say,
    side_by_side,
    timed,
)
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop

COMMITS = int(os.environ.get("BENCH_COMMITS", "2000"))
CLIENT_TASKS = int(os.environ.get("BENCH_CLIENT_TASKS", "10000"))
TASKS = int(os.environ.get("BENCH_TASKS", "10000"))
PEER_TASKS = int(os.environ.get("BENCH_PEER_TASKS", "2000"))
ROUNDS = 20
# As the settings are by default, where tests have others.
AS_USED = {"task_max_tries": 5, "sleep_interval": 10}
BATCH = 5000
KEYS = 1000


class Keyed(Noop):
    """Does nothing, while no other one with its key does."""

    def __init__(self, start, key):
        super().__init__(start)
        self.key = str(key)

    def limitKey(self):
        return self.key


def raw_rate(view):
    commits(view.connection, 50)
    seconds, _ = timed(commits, view.connection, COMMITS)
    return COMMITS / seconds


def bench_enqueue():
    """Enqueue in the process that has the storage, then from four others."""
    share = COMMITS // ROUNDS
    works = {"commits": commits, "insertions": insertions, "enqueue": enqueue}
    with fresh() as view:
        for work in works.values():
            work(view.connection, 50)
        rates = side_by_side(
            {name: lambda work=work: work(view.connection, share) for name, work in works.items()},
            share,
            ROUNDS,
        )
        raw = rates["commits"]
        say("commit a change of one object", raw, "/s", raw)
        say("commit a new object and a reference to it", rates["insertions"], "/s", raw)
        say("enqueue, 1 client", rates["enqueue"], "/s", raw)
    with fresh() as view:
        rates, conflicts = clients_side_by_side(
            view.database.uri, ("commits", "insertions", "enqueue"), 4, CLIENT_TASKS // 5, 5
        )
        raw = rates["commits"]
        say("commit a new object ..., 4 processes", rates["insertions"], "/s", raw)
        say("enqueue, 4 client processes", rates["enqueue"], "/s", raw)
        say(f"  conflicts in {CLIENT_TASKS:,}", conflicts["enqueue"], "")


def bench_drain():
    """Run tasks that do nothing, from the spool to the index of the finished ones."""
    for mode in ("threads", "processes"):
        with fresh() as view:
            raw = raw_rate(view)
            say(f"drain, exactly once, 2 {mode}", drained(view, mode), "tasks/s", raw)


def drained(view, mode, make=lambda number: Noop(nowutc())):
    """Return the rate at which a scheduler gets done what stands in the spool."""
    for start in range(0, TASKS, BATCH):
        view.enqueue(*(make(number) for number in range(start, min(start + BATCH, TASKS))))
    with running(view.database, multitask_mode=mode, workers=2, **AS_USED):
        # Who looks often takes part of the one processor that Python threads share.
        view.until(lambda: view.client.getStatus()["finished"] == TASKS, 300, every=0.1)
    ended = SchedulerModule.getDBInstance(view.connection).getFinishedIndex()
    first, *_, (last, _) = ended.items()
    return TASKS / (last - first[1].getStartedOn().timestamp())


@task
def plain():
    """Do nothing."""


@task(maxTries=3)
def tuned():
    """Do nothing, and be tried three times."""


def bench_options():
    """Run calls of a function that has options, beside calls of one that has none."""
    for mode in ("threads", "processes"):
        with fresh() as view:
            raw = drained(view, mode, lambda number: call_of(nowutc(), plain, (), {}))
        with fresh() as view:
            rate = drained(view, mode, lambda number: call_of(nowutc(), tuned, (), {}))
        say(f"drain, calls with options, 2 {mode}", rate, "tasks/s", raw, "of without options")


def bench_keys():
    """Run tasks with a key, one at a time for each, beside tasks without one."""
    with fresh() as view:
        raw = drained(view, "threads")
    with fresh() as view:
        keyed = drained(view, "threads", lambda number: Keyed(nowutc(), number % KEYS))
    say(f"drain, in order for each of {KEYS:,} keys", keyed, "tasks/s", raw, "of without keys")


def bench_bulk():
    """Cancel waiting tasks by a filter, while others are enqueued and run one after the other."""
    with fresh() as view:
        raw = raw_rate(view)
        for _ in range(0, TASKS, BATCH):
            view.enqueue(*(Noop(nowutc() + timedelta(days=1)) for _ in range(BATCH)))
        with running(view.database):
            view.until(lambda: view.client.getStatus()["waiting"] >= TASKS, every=0.1)
            chosen = TaskFilter(name="Noop", state="waiting")
            seconds, number = timed(view.client.count, chosen)
            say("count tasks by their name", number / seconds, "tasks/s")
            view.client.cancelAll(chosen)
            seconds, latencies = timed(others_meanwhile, view, number)
            middle = sorted(latencies)[len(latencies) // 2]
            say("cancel tasks by a filter", number / seconds, "tasks/s", raw)
            say("another task meanwhile, enqueue to end, p50", middle * 1000, "ms")


def others_meanwhile(view, number):
    """Return the seconds that other tasks take, until *number* tasks have failed."""
    latencies = []
    view.commit()
    while view.status()["failed"] < number:
        began, task = time.monotonic(), view.enqueue(Noop(nowutc()))
        view.until(task.getAttempts, every=0.001)
        latencies.append(time.monotonic() - began)
    return latencies


def bench_peers():
    """Let what others use do the same: tasks that do nothing, on a durable store, 2 threads."""
    with fresh() as view:
        raw = raw_rate(view)
        ours = drained(view, "threads")
    say("drain, exactly once, 2 threads", ours, "tasks/s", raw)
    for name, work in peers.DRAINS.items():
        rate = work(PEER_TASKS)
        say(name, rate, "tasks/s", raw)
        say("  ours is so many times as fast", ours / rate, "x")


def latency(view):
    """Return the milliseconds from before the commit to the start of the run."""
    moment = nowutc()
    task = view.enqueue(Noop(moment))
    time.sleep(0.02)
    view.until(task.getEndedOn)
    return (task.getStartedOn() - moment) / timedelta(milliseconds=1)


BENCHMARKS = {
    "enqueue": bench_enqueue,
    "drain": bench_drain,
    "options": bench_options,
    "keys": bench_keys,
    "bulk": bench_bulk,
    "peers": bench_peers,
}
