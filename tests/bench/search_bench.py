"""Benchmark of the search: how long a page of very many tasks takes, wherever it is."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import timedelta

from scheduler import Client, SchedulerModule, TaskFilter, nowutc
from scheduler.shelves.bulk_order import CANCEL, BulkOrder
from scheduler.shelves.search import count, search
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, TASK_STATUS_SPOOLED
from scheduler.store import open_database
from scheduler.store.read_view import read_view
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.call import call_of
from scheduler.tasks.handle import TaskHandle
from tests.bench.ground import say
from tests.scheduler.harness import View
from tests.scheduler.sample_declared import bare
from tests.scheduler.sample_tasks import Noop

TASKS = int(os.environ.get("BENCH_SEARCH", "1000000"))
BATCH = 5000
PAGES = 15
RARE = 100_000

QUESTIONS = {
    "all": TaskFilter(),
    "waiting": TaskFilter(state="waiting"),
    "failed": TaskFilter(state="failed"),
    "finished": TaskFilter(state="finished"),
    "spooled": TaskFilter(state="spooled"),
    "a class": TaskFilter(name="Noop"),
    "a function": TaskFilter(name="bare", state="finished"),
    "text of an error": TaskFilter(text="broken pipe", state="failed"),
    "a rare text": TaskFilter(text="number 7 is", state="failed"),
}


def bench_search():
    """Find pages of a quarter each of waiting, failed, finished and spooled tasks."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        _fill(uri)
        database = open_database(uri)
        for name, chosen in QUESTIONS.items():
            _ask(database, name, chosen)
        start = time.perf_counter()
        with read_view(database) as connection:
            module = SchedulerModule.getDBInstance(connection)
            counted = count(module, BulkOrder.of(CANCEL, TaskFilter(state="waiting")))
        say(f"dry count, up to {counted.number:,}", 1000 * (time.perf_counter() - start), "ms")
        database.close()


def _ask(database, name, chosen):
    """Read pages at the front, then some far behind; each on a view of its own, as a page is."""
    cursor, waits, looked_at = None, [], 0
    for number in range(PAGES):
        start = time.perf_counter()
        with read_view(database) as connection:
            page = search(SchedulerModule.getDBInstance(connection), chosen, cursor)
        waits.append(1000 * (time.perf_counter() - start))
        looked_at += page.looked_at
        cursor = page.cursor
        if cursor is None:
            break
        if number == PAGES // 2:
            cursor = _far(database, chosen, cursor) or cursor
    say(f"page of {name}, median", statistics.median(waits), "ms")
    say("  the longest", max(waits), "ms")
    say("  looked at for a page", looked_at / len(waits), "tasks")


def _far(database, chosen, cursor):
    """Return a cursor a hundred thousand tasks behind *cursor*, so far as there are."""
    with read_view(database) as connection:
        everything = TaskFilter(state=chosen.state)
        page = search(
            SchedulerModule.getDBInstance(connection), everything, cursor, RARE, budget=600
        )
        return page.cursor


def _fill(uri):
    database = open_database(uri)
    view = View(database)
    module = SchedulerModule.getDBInstance(view.connection)
    now = nowutc()
    for number in range(TASKS // 4):
        for kind in (_wait, _fail, _finish, _spool):
            kind(view, module, now, number)
        if number % BATCH == 0:
            view.commit()
            view.connection.cacheMinimize()
    view.commit()
    view.close()
    database.close()


def _wait(view, module, now, number):
    task = Noop(now + timedelta(days=1, seconds=number * 7 % 1_000_003))
    view.connection.add(task)
    module.queue(task)


def _fail(view, module, now, number):
    ended = now - timedelta(seconds=number)
    why = f"broken pipe: number {number} is lost"
    task = _ready(view, now, number)
    TaskHandle(task).end(Attempt(1, ended, ended, TASK_STATUS_FAILED, why, f"Traceback\n{why}"))
    module.shelve(task, ended, TASK_STATUS_FAILED)


def _finish(view, module, now, number):
    ended = now - timedelta(seconds=number)
    task = _ready(view, now, number)
    TaskHandle(task).finish(Attempt(1, ended, ended, TASK_STATUS_FINISHED), number)
    module.shelve(task, ended, TASK_STATUS_FINISHED)


def _ready(view, now, number):
    task = call_of(now, bare, (number,), {}) if number % 2 else Noop(now)
    view.connection.add(task)
    TaskHandle(task).set_status(TASK_STATUS_SPOOLED)
    return task


def _spool(view, module, now, number):
    Client(view.connection).enqueue(Noop(now))


BENCHMARKS = {"search": bench_search}
