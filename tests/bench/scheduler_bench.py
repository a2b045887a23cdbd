"""Benchmarks of the scheduler: enqueue, drain, latency, backlog."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from datetime import timedelta

import psutil
import transaction

from scheduler import SchedulerModule, nowutc
from scheduler.store import open_database
from tests.bench.ground import clients, commits, enqueue, fresh, say, timed
from tests.scheduler.harness import View, python, running
from tests.scheduler.sample_tasks import Noop

COMMITS = int(os.environ.get("BENCH_COMMITS", "2000"))
TASKS = int(os.environ.get("BENCH_TASKS", "10000"))
LATENCIES = int(os.environ.get("BENCH_LATENCIES", "300"))
BACKLOG = int(os.environ.get("BENCH_BACKLOG", "100000"))
IDLE_SECONDS = 10
BATCH = 5000


def raw_rate(view):
    commits(view.connection, 50)
    seconds, _ = timed(commits, view.connection, COMMITS)
    return COMMITS / seconds


def bench_enqueue():
    """Enqueue in the process that has the storage, then from four others."""
    with fresh() as view:
        raw = raw_rate(view)
        seconds, conflicts = timed(enqueue, view.connection, COMMITS)
        say("enqueue, 1 client", COMMITS / seconds, "/s", raw)
        say("  conflicts", conflicts, "")
    with fresh() as view:
        raw, _ = clients(view.database.uri, "commits", 4, COMMITS // 4)
        rate, conflicts = clients(view.database.uri, "enqueue", 4, COMMITS // 4)
        say("enqueue, 4 client processes", rate, "/s", raw)
        say("  conflicts", conflicts, "")


def bench_drain():
    """Run tasks that do nothing, from the spool to the index of the finished ones."""
    for mode in ("threads", "processes"):
        with fresh() as view:
            raw = raw_rate(view)
            for _ in range(0, TASKS, BATCH):
                view.enqueue(*(Noop(nowutc()) for _ in range(min(BATCH, TASKS))))
            with running(view.database, multitask_mode=mode, workers=2):
                view.until(lambda view=view: view.client.getStatus()["finished"] == TASKS, 300)
            ended = SchedulerModule.getDBInstance(view.connection).getFinishedIndex()
            first, *_, (last, _) = ended.items()
            began = first[1].getStartedOn().timestamp()
            say(f"drain, 2 {mode}", TASKS / (last - began), "tasks/s", raw)


def bench_latency():
    """Enqueue one task at a time while nothing else is to be done."""
    for mode in ("threads", "processes"):
        with fresh() as view, running(view.database, multitask_mode=mode, sleep_interval=10):
            view.enqueue(Noop(nowutc()))
            view.until_counts(finished=1)
            waits = sorted(latency(view) for _ in range(LATENCIES))
            say(f"latency enqueue to start, {mode}, p50", waits[len(waits) // 2], "ms")
            say(f"latency enqueue to start, {mode}, p99", waits[len(waits) * 99 // 100], "ms")


def latency(view):
    """Return the milliseconds from before the commit to the start of the run."""
    moment = nowutc()
    task = view.enqueue(Noop(moment))
    time.sleep(0.02)
    view.until(task.getEndedOn)
    return (task.getStartedOn() - moment) / timedelta(milliseconds=1)


IDLE = """
import sys
from scheduler import Scheduler
Scheduler(database=sys.argv[1]).run()
"""


def bench_backlog():
    """Let a scheduler of its own process sit before a long queue."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        empty, _ = sit_before(uri)
        fill(uri)
        memory, busy = sit_before(uri)
        say(f"scheduler before {BACKLOG:,} waiting tasks", memory, "MB")
        say("  the same before an empty queue", empty, "MB")
        say("  idle CPU", busy, "%")


def fill(uri):
    database = open_database(uri)
    view = View(database, transaction.TransactionManager())
    module = SchedulerModule.getDBInstance(view.connection)
    start = nowutc() + timedelta(days=1)
    for number in range(BACKLOG):
        task = Noop(start + timedelta(seconds=number * 7 % 1_000_003))
        view.connection.add(task)
        module.queue(task)
        if number % BATCH == 0:
            view.commit()
            view.connection.cacheMinimize()
    view.commit()
    view.close()
    database.close()


def sit_before(uri):
    """Return the resident megabytes and the per cent of CPU of an idle scheduler."""
    with python(IDLE, uri, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(10)
            found = psutil.Process(process.pid)
            before = sum(found.cpu_times()[:2])
            time.sleep(IDLE_SECONDS)
            busy = sum(found.cpu_times()[:2]) - before
            return found.memory_info().rss / 2**20, 100 * busy / IDLE_SECONDS
        finally:
            process.terminate()


BENCHMARKS = {
    "enqueue": bench_enqueue,
    "drain": bench_drain,
    "latency": bench_latency,
    "backlog": bench_backlog,
}
