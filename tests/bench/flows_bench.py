"""Benchmarks of flows: chains, groups, graphs, and one task that waits for thousands."""

from __future__ import annotations

import os
import time

from scheduler import nowutc
from tests.bench.ground import fresh, say
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop

STEPS = int(os.environ.get("BENCH_FLOW_STEPS", "10000"))
WIDTH = 100
CHAIN = STEPS // 10


def noops(number):
    return [Noop(nowutc()) for _ in range(number)]


def chain(client, number):
    """One after the other."""
    client.enqueueChain(*noops(number))
    return number


def group(client, number):
    """Side by side, and one behind all of them."""
    client.enqueueGroup(noops(number), Noop(nowutc()))
    return number + 1


def join(client, number):
    """One that waits for all others."""
    steps = noops(number)
    client.enqueueAll(steps)
    client.enqueue(Noop(nowutc()), after=steps)
    return number + 1


def graph(client, number):
    """Rows of tasks, each of which waits for three of the row before."""
    row = noops(WIDTH)
    client.enqueueAll(row)
    for _ in range(number // WIDTH - 1):
        behind = noops(WIDTH)
        for at, step in enumerate(behind):
            client.enqueue(step, after=[row[at], row[at - 1], row[at - 2]])
        row = behind
    return number // WIDTH * WIDTH


def alone(client, number):
    """Tasks that have nothing to do with each other."""
    client.enqueueAll(noops(number))
    return number


def bench_flows():
    """Enqueue and run flows, a half and all of the steps, to see that time is linear in them."""
    _, _, plain = run(alone, STEPS)
    for work, steps in ((chain, CHAIN), (group, STEPS), (join, STEPS), (graph, STEPS)):
        for number in (steps // 2, steps):
            enqueued, ran, cpu = run(work, number)
            name = f"{work.__name__} of {number:,}"
            say(f"{name}: enqueue", enqueued, "tasks/s")
            say(f"{name}: run, 2 threads", ran, "tasks/s")
            say(f"{name}: CPU, of a task by itself", cpu / plain, "times")


def run(work, number):
    """Return how many tasks a second are enqueued, and run, and the seconds of CPU of each."""
    with fresh() as view:
        began, cpu = time.perf_counter(), time.process_time()
        count = work(view.client, number)
        view.commit()
        enqueued = count / (time.perf_counter() - began)
        began = time.perf_counter()
        with running(view.database, workers=2):
            view.until(lambda: view.client.getStatus()["finished"] >= count, 3600, every=0.2)
            seconds = time.perf_counter() - began
        return enqueued, count / seconds, (time.process_time() - cpu) / count


BENCHMARKS = {"flows": bench_flows}
