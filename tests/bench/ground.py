"""What benchmarks stand on: a fresh database, the raw commit rate, and lines of results."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

from persistent import Persistent
from ZODB.POSException import ConflictError

from scheduler import Client, nowutc
from scheduler.store import open_database
from tests.scheduler.harness import viewing
from tests.scheduler.sample_tasks import Noop


class Row(Persistent):
    """A small object of an application."""

    def __init__(self, number):
        self.number = number
        self.made = nowutc()


def say(name, value, unit, raw=None, base="x raw"):
    """Print one figure, and its ratio to the rate of raw commits (*base*) measured beside it."""
    ratio = f"   {value / raw:8.2f} {base} ({raw:.0f}/s)" if raw else ""
    sys.stdout.write(f"{name:<44}{value:>12,.2f} {unit:<8}{ratio}\n")
    sys.stdout.flush()


@contextmanager
def fresh():
    """Open a view of a database that is embedded in a folder of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        viewing(open_database(f"file://{folder}/bench.fs")) as view,
    ):
        yield view


def commits(connection, count):
    """Commit *count* times a change of one small object: the raw rate."""
    manager = connection.transaction_manager
    row = Row(0)
    connection.add(row)
    for number in range(count):
        row.number = number
        manager.commit()


def insertions(connection, count):
    """Commit *count* times one new object, and the small one that refers to it."""
    manager = connection.transaction_manager
    row = Row(0)
    connection.add(row)
    for number in range(count):
        row.number = Row(number)
        manager.commit()


def enqueue(connection, count):
    """Enqueue *count* tasks, each in its own commit; return the number of conflicts."""
    manager = connection.transaction_manager
    client = Client(connection)
    conflicts = 0
    for _ in range(count):
        while True:
            try:
                client.enqueue(Noop(nowutc()))
                manager.commit()
                break
            except ConflictError:
                conflicts += 1
                manager.abort()
    return conflicts


def side_by_side(works, count, rounds=20):
    """Return the rate of each of *works*, by name, done in turns so that all share the weather.

    Each is a function of no arguments that does *count* things; the rate is the median.
    """
    seconds = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            seconds[name].append(timed(work)[0])
    return {name: count / statistics.median(spent) for name, spent in seconds.items()}


def timed(work, *arguments):
    """Return how many seconds *work* takes, and what it returns."""
    started = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - started, result


CLIENT = """
import sys
from scheduler.store import connect
from tests.bench import ground, livesync_bench
with connect(sys.argv[1]) as connection:
    work = getattr(ground, sys.argv[2], None) or getattr(livesync_bench, sys.argv[2])
    work(connection, 20)
    print("ready", flush=True)
    sys.stdin.readline()
    seconds, conflicts = ground.timed(work, connection, int(sys.argv[3]))
    print(conflicts or 0, flush=True)
"""


def clients_side_by_side(uri, works, number, count, rounds=5):
    """Let *number* processes do each of *works* in turns, *count* things in all each time.

    Return the median rate of each by its name, and how many conflicts there were.
    """
    rates, conflicts = {work: [] for work in works}, dict.fromkeys(works, 0)
    for _ in range(rounds):
        for work in works:
            rate, met = clients(uri, work, number, count // number)
            rates[work].append(rate)
            conflicts[work] += met
    return {work: statistics.median(found) for work, found in rates.items()}, conflicts


def clients(uri, work, number, count):
    """Let *number* processes do *work* at once; return the rate of all, and the conflicts."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, uri, work, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    for process in processes:
        process.stdout.readline()
    started = time.perf_counter()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.stdout.readline() for process in processes]
    seconds = time.perf_counter() - started
    for process in processes:
        process.communicate()
    return number * count / seconds, sum(map(int, outputs))
