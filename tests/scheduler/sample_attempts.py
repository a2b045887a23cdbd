"""Functions and tasks that ask their attempt, for tests: at module level, for workers to import."""

from __future__ import annotations

import asyncio
import os
import time

import httpx

from scheduler import attempt, task
from scheduler.runtime.http import TaskClient
from scheduler.store import current, transact
from scheduler.tasks import IntervalTask, OneShotTask
from scheduler.tasks.retry import Retry


def facts():
    """Return what the attempt says from anywhere below its function."""
    return {
        "id": attempt.id,
        "number": attempt.number,
        "occurrence": attempt.occurrence,
        "deadline": attempt.deadline,
        "inputs": attempt.inputs,
        "is one": bool(attempt),
    }


@task(softLimit=100, hardLimit=50)
def tell():
    attempt.log.info("told by %s", attempt.id)
    attempt.progress(0.5, "half")
    return facts()


@task
async def tell_later():
    await asyncio.sleep(0)
    return await asyncio.to_thread(facts)


def tell_plainly():
    return facts()


@task(maxTries=3, retries={ValueError: Retry(first=0.01)})
def third_time():
    if attempt.number < 3:
        raise ValueError("not yet")
    return attempt.number


@task(softLimit=0.2, maxTries=1)
def work_for_ever():
    while True:
        time.sleep(0.01)
        attempt.checkCancelled()


@task
def wait_for_the_end():
    root = current().root()
    database = root._p_jar.db()
    transact(database, lambda connection: connection.root().update(begun=True))
    while True:
        time.sleep(0.01)
        attempt.checkCancelled()


@task
def progress_until(go):
    attempt.progress(0.25, "a quarter")
    while not os.path.exists(go):
        time.sleep(0.01)


def one():
    return 1


def add():
    return [*attempt.inputs, 10]


@task(maxTries=2, retries={RuntimeError: Retry(first=0.01)})
def notify(url, fails=False):
    """Send one message by each of two clients, and a second one by the first."""
    with TaskClient() as other:
        attempt.http.post(f"{url}/a", content=b"a")
        other.post(f"{url}/b", content=b"b")
        attempt.http.post(f"{url}/a", content=b"c")
        attempt.http.get(f"{url}/a")
        other.post(f"{url}/own", headers={"Idempotency-Key": "own"})
    if fails and attempt.number == 1:
        raise RuntimeError("once more")


@task(maxTries=1)
def refused(url):
    attempt.http.post(f"{url}/refused")
    raise ValueError("for good")


class Notify(OneShotTask):
    maxTries = 1

    def __init__(self, start, url):
        super().__init__(start)
        self.url = url

    def run(self):
        attempt.http.post(f"{self.url}/x")


class Beat(IntervalTask):
    def __init__(self, seconds, url, **policies):
        super().__init__(seconds, **policies)
        self.url = url

    def run(self):
        attempt.http.post(f"{self.url}/beat")


class Closing(OneShotTask):
    """Keeps its client, which is closed with the attempt."""

    kept: list[httpx.Client] = []

    def run(self):
        self.kept.append(attempt.http)


class Dated(IntervalTask):
    """Keeps the dates that it is run for."""

    def run(self):
        root = current().root()
        root["dates"] = (*root.get("dates", ()), attempt.date)


class Wavering(IntervalTask):
    """Succeeds at the second try; the tries are committed all the same."""

    maxTries = 2
    retries = {ValueError: Retry(first=5)}

    def run(self):
        date = attempt.date

        def note(connection):
            root = connection.root()
            root["tried"] = (*root.get("tried", ()), date)

        transact(current().db(), note)
        if attempt.number == 1:
            raise ValueError("not yet")


class Queued(IntervalTask):
    """Runs that overlap, in a named queue and with a limit key."""

    overlap = "allow"
    queueName = "beats"
    priority = 4

    def limitKey(self):
        return "beats"

    def run(self):
        pass
