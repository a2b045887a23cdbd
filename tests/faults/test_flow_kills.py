"""SIGKILL to workers and to the scheduler while flows run: each node once, no join lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import psutil
import pytest
from BTrees.OOBTree import OOBTree

from scheduler import TASK_STATUS_FINISHED, nowutc
from scheduler.store import current, open_database
from scheduler.tasks import OneShotTask, TaskGroup
from scheduler.tasks.chain import chain
from tests.scheduler.harness import python, running, viewing

ROWS, WIDTH, KILLS, DEADLINE = (40, 50, 40, 600) if os.environ.get("SOAK") else (6, 8, 4, 120)
PAUSE = 0.01

SCHEDULER = """
import sys
from scheduler import Scheduler
Scheduler(
    database=sys.argv[1], multitask_mode=sys.argv[2], sleep_interval=0.2, task_max_tries=200
).run()
"""


class Node(OneShotTask):
    """Counts, in the record of its name, how often it was run; fails if it was run too early."""

    maxTries = 200

    def __init__(self, name, before=()):
        super().__init__(nowutc())
        self.name, self.before = name, before

    def run(self):
        ran = current().root()["ran"]
        missing = [name for name in self.before if name not in ran]
        if missing:
            ran[f"{self.name} ran before {missing}"] = 1
        ran[self.name] = ran.get(self.name, 0) + 1
        time.sleep(PAUSE)
        return self.name


def plant(view):
    """Enqueue a graph of rows, and a nest of chains and groups; return the last node of each."""
    view.root["ran"] = OOBTree()
    view.commit()
    row = [Node(f"0.{at}") for at in range(WIDTH)]
    view.client.enqueueAll(row)
    for number in range(1, ROWS):
        behind = []
        for at in range(WIDTH):
            after = [row[at], row[at - 1], row[at - 2]]
            node = Node(f"{number}.{at}", tuple(step.name for step in after))
            view.client.enqueue(node, after=after)
            behind.append(node)
        row = behind
    last = Node("last of the graph", tuple(step.name for step in row))
    view.client.enqueue(last, after=row)
    rest = [Node("first")]
    for number in range(ROWS):
        members = [chain(Node(f"{number}a{at}"), Node(f"{number}b{at}")) for at in range(WIDTH)]
        rest += [TaskGroup(members), Node(f"behind group {number}")]
    nest = chain(*rest, Node("last of the nest", (f"behind group {ROWS - 1}",)))
    view.client.enqueue(nest)
    end = Node("end", ("last of the graph", "last of the nest"))
    view.client.enqueue(end, after=[last, nest])
    view.commit()
    return end.getId(), ROWS * WIDTH + 1 + 1 + ROWS * (2 * WIDTH + 1) + 1 + 1


def kill_a_worker(pid):
    """Kill one of the workers of process *pid*, if it has one."""
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return
    workers = [each for each in children if "worker" in " ".join(_words(each))]
    for worker in random.sample(workers, min(1, len(workers))):
        worker.kill()


def _words(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_killed_workers_and_schedulers_cost_no_node_and_repeat_none(uri, mode):
    with viewing(open_database(uri)) as view:
        number, nodes = plant(view)
    for _ in range(KILLS):
        with python(SCHEDULER, uri, mode, stderr=subprocess.DEVNULL) as process:
            for _ in range(2):
                time.sleep(random.uniform(0.4, 0.9))
                kill_a_worker(process.pid)
            process.send_signal(signal.SIGKILL)
    with viewing(open_database(uri)) as view:
        with running(view.database, task_max_tries=200):
            end = view.client.getTask(number)
            view.until(lambda: end.getStatus() == TASK_STATUS_FINISHED, DEADLINE, every=0.1)
            view.until_counts(finished=nodes)
        ran = dict(view.root["ran"])
        assert {name: times for name, times in ran.items() if times != 1} == {}
        assert len(ran) == nodes
