"""Benchmarks of the scheduler while most of its tasks wait: long queues, and periodic tasks."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from datetime import timedelta

import psutil

from scheduler import SchedulerModule, nowutc
from scheduler.store import open_database
from scheduler.tasks import IntervalTask
from tests.bench.ground import fresh, say
from tests.scheduler.harness import View, output_of, python, running
from tests.scheduler.sample_tasks import Noop

BACKLOG = int(os.environ.get("BENCH_BACKLOG", "1000000"))
PERIODIC = int(os.environ.get("BENCH_PERIODIC", "1000"))
PERIODIC_SECONDS = int(os.environ.get("BENCH_PERIODIC_SECONDS", "60"))
EVERY = 10
IDLE_SECONDS = 10
COLD_STARTS = 5
BATCH = 5000

IDLE = """
import sys
from scheduler import Scheduler
Scheduler(database=sys.argv[1]).run()
"""

NEXT_DUE = """
import sys, time
import tests.scheduler.sample_tasks
from scheduler import SchedulerModule
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    queue = SchedulerModule.getDBInstance(connection).getWaitingQueue()
    started = time.perf_counter()
    assert queue.next_due() is not None
    print(1000 * (time.perf_counter() - started))
"""


def bench_backlog():
    """Let a scheduler of its own process sit before a long queue."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        empty, _ = sit_before(uri)
        fill(uri)
        waits = [float(output_of(NEXT_DUE, uri)) for _ in range(COLD_STARTS)]
        say(f"next due of {BACKLOG:,}, nothing loaded", statistics.median(waits), "ms")
        memory, busy = sit_before(uri)
        say(f"scheduler before {BACKLOG:,} waiting tasks", memory, "MB")
        say("  the same before an empty queue", empty, "MB")
        say("  idle CPU", busy, "%")


def fill(uri):
    database = open_database(uri)
    view = View(database)
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


class Beat(IntervalTask):
    """Does nothing, at each date."""

    def run(self):
        pass


def bench_second():
    """Run many periodic tasks, once with their dates spread, once all at the same moment."""
    for name, spread in (("spread over the period", EVERY / PERIODIC), ("all at one moment", 0)):
        with fresh() as view:
            start = nowutc() + timedelta(seconds=5)
            tasks = [
                Beat(EVERY, start=start + timedelta(seconds=number * spread))
                for number in range(PERIODIC)
            ]
            view.enqueue(*tasks)
            with running(view.database, workers=2):
                time.sleep(5 + PERIODIC_SECONDS + 1)
            view.refresh()
            found = [lateness for task in tasks for lateness in latenesses(task)]
            expected = PERIODIC * PERIODIC_SECONDS // EVERY
            say(f"firings of {PERIODIC:,} tasks, {name}", len(found), f"of {expected:,}")
            say("  lateness p50", *within(found, 0.5))
            say("  lateness p99", *within(found, 0.99))
            later = [lateness for task in tasks for lateness in list(latenesses(task))[1:]]
            say("  lateness p99, without each task's first", *within(later, 0.99))


def within(seconds, part):
    """Return the milliseconds, and their unit, within which so great a *part* lies."""
    return 1000 * sorted(seconds)[int(part * len(seconds))], "ms"


def latenesses(task):
    """Yield how many seconds after its date each of the firings began that are to be counted."""
    start = task.getSchedule().start
    for occurrence in task.getOccurrences():
        since = (occurrence.getStartedOn() - start).total_seconds()
        if since < PERIODIC_SECONDS:
            yield since % EVERY


BENCHMARKS = {"backlog": bench_backlog, "second": bench_second}
