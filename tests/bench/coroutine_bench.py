"""Benchmarks of coroutines: tasks that await, many at once on one worker, and their results."""

from __future__ import annotations

import asyncio
import os
import time

from scheduler import task
from tests.bench.ground import fresh, say, timed
from tests.scheduler.harness import running

COROUTINES = int(os.environ.get("BENCH_COROUTINES", "100"))
RESULTS = int(os.environ.get("BENCH_RESULTS", "100"))


@task
async def doze(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def ended(view, number, seconds):
    """Enqueue coroutines that sleep, and wait until all have finished."""
    finished = view.status()["finished"]
    for _ in range(number):
        doze.using(view.connection).enqueue(seconds)
    view.commit()
    view.until(lambda: view.client.getStatus()["finished"] == finished + number, 300, every=0.02)


def results(view):
    """Wait for the results of tasks, one after the other; return the seconds of each."""
    latencies = []
    for _ in range(RESULTS):
        call = doze.using(view.connection).enqueue(0)
        began = time.monotonic()
        view.commit()
        view.client.waitFor(call, 60)
        latencies.append(time.monotonic() - began)
    return sorted(latencies)


def bench_coroutines():
    """Run coroutines of a second each on one worker, as threads and as processes."""
    for mode in ("threads", "processes"):
        with fresh() as view, running(view.database, multitask_mode=mode, workers=1):
            ended(view, 1, 0)
            seconds, _ = timed(ended, view, COROUTINES, 1)
            say(f"{COROUTINES} coroutines of 1 s, 1 worker, {mode}", seconds, "s")
            seconds, _ = timed(ended, view, 10 * COROUTINES, 0)
            say("  coroutines that do not wait", 10 * COROUTINES / seconds, "/s")
            latencies = results(view)
            say("  commit to result (waitFor), p50", latencies[len(latencies) // 2] * 1000, "ms")


BENCHMARKS = {"coroutines": bench_coroutines}
