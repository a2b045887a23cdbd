"""What others use, doing comparable work: tasks that do nothing, kept in a file, two threads.

Huey is given SQLite with a sync for each commit, as durable as the embedded database, and keeps
a result for each task, where the scheduler keeps a record of the run. It takes a task out of
its queue before it runs it: a crash loses the task, at most once. APScheduler removes a job from
its store before it runs it, which comes to the same, and keeps no result.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from huey import SqliteHuey

DEADLINE = 300

_done = threading.Semaphore(0)


def noop():
    """Do nothing, and let that be counted."""
    _done.release()
    return True


def drain_huey(count, fsync=True):
    """Return the tasks per second that Huey gets done."""
    logging.getLogger("huey").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        huey = SqliteHuey(filename=f"{folder}/huey.db", fsync=fsync)
        task = huey.task()(noop)
        for _ in range(count):
            task()
        consumer = huey.create_consumer(workers=2, periodic=False)
        started = time.perf_counter()
        consumer.start()
        _wait(count)
        rate = count / (time.perf_counter() - started)
        consumer.stop(graceful=True)
        return rate


def drain_huey_without_sync(count):
    """Return the tasks per second that Huey gets done when it is told not to sync."""
    return drain_huey(count, fsync=False)


def drain_apscheduler(count):
    """Return the tasks per second that APScheduler gets done."""
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        scheduler = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{folder}/jobs.db")},
            executors={"default": ThreadPoolExecutor(2)},
        )
        scheduler.start(paused=True)
        for _ in range(count):
            scheduler.add_job(noop, run_date=datetime.now(UTC), misfire_grace_time=None)
        started = time.perf_counter()
        scheduler.resume()
        _wait(count)
        rate = count / (time.perf_counter() - started)
        scheduler.shutdown()
        return rate


def _wait(count):
    for _ in range(count):
        if not _done.acquire(timeout=DEADLINE):
            raise TimeoutError("a task was not run")


DRAINS = {
    "Huey on SQLite, synced, 2 threads": drain_huey,
    "Huey on SQLite, not synced, 2 threads": drain_huey_without_sync,
    "APScheduler on SQLite, 2 threads": drain_apscheduler,
}
