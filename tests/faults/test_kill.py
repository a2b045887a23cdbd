"""SIGKILL in the middle of work: each task's effect is there exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import psutil
import pytest

from scheduler import nowutc
from scheduler.store import current, open_database
from tests.scheduler.harness import python, running, viewing
from tests.scheduler.sample_tasks import Count

TASKS, MEMBERS = 500, 100
# All tasks change one object, so the longer each takes, the more of them are run again.
KILLS, PAUSE, DEADLINE = (25, 0.04, 300) if os.environ.get("SOAK") else (3, 0.005, 120)

SCHEDULER = """
import sys
from scheduler import Scheduler
Scheduler(
    database=sys.argv[1], multitask_mode=sys.argv[2], sleep_interval=0.2, task_max_tries=50
).run()
"""


@pytest.fixture
def uri(tmp_path):
    return f"file://{tmp_path}/data.fs"


def look(uri, work):
    """Open the database for *work(view)* alone."""
    with viewing(open_database(uri)) as view:
        return work(view)


def enqueue(view):
    view.enqueue(*(PausedCount(nowutc(), PAUSE) for _ in range(TASKS)))


class PausedCount(Count):
    """Takes a moment, so that a kill hits it."""

    def __init__(self, start, pause):
        super().__init__(start)
        self.pause = pause

    def run(self):
        super().run()
        time.sleep(self.pause)


class OneByOne(PausedCount):
    """Only one of them runs at a time; its queue has one place, too."""

    queueName = "narrow"

    def limitKey(self):
        return "key"


class Sum(Count):
    """Notes how many tasks of its group have finished."""

    def run(self):
        root = current().root()
        root["sums"] = (*root.get("sums", ()), len(self.getInputs()))


def workers_of(pid):
    # Only they: Python's own helpers, like its resource tracker, are children of a test too.
    children = psutil.Process(pid).children()
    return [
        child
        for child in children
        if any("scheduler.worker.process" in word for word in cmdline(child))
    ]


def cmdline(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_killed_workers_cost_no_task_and_repeat_none(uri):
    with viewing(open_database(uri)) as view:
        enqueue(view)
        options = {"multitask_mode": "processes", "task_max_tries": 50}
        with running(view.database, **options):
            for _ in range(KILLS):
                time.sleep(random.uniform(0.2, 0.8))
                workers = workers_of(os.getpid())
                for worker in random.sample(workers, min(1, len(workers))):
                    worker.kill()
            view.until_counts(seconds=DEADLINE, finished=TASKS)
        assert view.root["count"] == TASKS


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_killed_scheduler_costs_no_task_and_repeats_none(uri, mode):
    look(uri, enqueue)
    for _ in range(KILLS):
        with python(SCHEDULER, uri, mode, stderr=subprocess.DEVNULL) as process:
            time.sleep(random.uniform(0.6, 1.2))
            process.send_signal(signal.SIGKILL)

    with viewing(open_database(uri)) as view:
        with running(view.database, task_max_tries=50):
            view.until_counts(seconds=DEADLINE, finished=TASKS)
        assert view.root["count"] == TASKS


def test_a_killed_scheduler_leaves_no_place_taken_and_no_group_open(uri):
    def begin(view):
        view.client.limitQueue("narrow", atOnce=1)
        members = [OneByOne(nowutc(), PAUSE) for _ in range(MEMBERS)]
        view.client.enqueueGroup(members, Sum(nowutc()))
        view.commit()

    look(uri, begin)
    for _ in range(KILLS):
        with python(SCHEDULER, uri, "threads", stderr=subprocess.DEVNULL) as process:
            time.sleep(random.uniform(0.6, 1.2))
            process.send_signal(signal.SIGKILL)

    with viewing(open_database(uri)) as view:
        with running(view.database, task_max_tries=50):
            view.until_counts(seconds=DEADLINE, finished=MEMBERS + 1)
        assert view.root["count"] == MEMBERS
        assert view.root["sums"] == (MEMBERS,)
        assert view.client.getQueues()["narrow"]["running"] == 0


def test_an_enqueuing_killed_in_the_middle_is_whole_or_not_there(uri):
    code = """
import sys, transaction
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Count
with connect(sys.argv[1]) as connection:
    root, client = connection.root(), Client()
    while True:
        client.enqueue(Count(nowutc()))
        client.enqueue(Count(nowutc()))
        root["said"] = root.get("said", 0) + 2
        transaction.commit()
        print("x", flush=True)
"""
    with python(code, uri, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(random.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)

    said, spooled = look(uri, lambda view: (view.root["said"], view.counts()["spooled"]))
    assert said == spooled
