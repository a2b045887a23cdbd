"""Benchmarks of live traffic: clients commit single tasks while a daemon runs them.

All as it is used: the daemon is started by its command, each client is a process of its own. The
figures are of the machine as a whole; transactions, CPU and bytes a task do not depend on how
busy it is.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil

from scheduler import Client
from scheduler.store import open_database, transact
from tests import postgres
from tests.bench import live_peers
from tests.bench.ground import say
from tests.faults.processes import Daemon
from tests.rest import PLACES
from tests.waiting import wait_for

TASKS = int(os.environ.get("BENCH_LIVE_TASKS", "2000"))
MODES = os.environ.get("BENCH_LIVE_MODES", "threads;processes").split(";")
LATENCIES = int(os.environ.get("BENCH_LATENCIES", "300"))
DEADLINE = 600
# Who has the file first: the daemon, or a process that the daemon joins.
EMBEDDED = ("embedded", "embedded, joined")

CLIENT = """
import sys, time, transaction
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Noop
with connect(sys.argv[1]) as connection:
    client = Client(connection)
    print("ready", flush=True)
    sys.stdin.readline()
    spent = []
    for number in range(int(sys.argv[2])):
        began = time.perf_counter()
        client.enqueue(Noop(nowutc()))
        transaction.commit()
        spent.append(time.perf_counter() - began)
    spent.sort()
    print(spent[len(spent) // 2], spent[int(len(spent) * 0.99)], spent[-1], flush=True)
    sys.stdin.readline()
"""


IDLE_CLIENT = """
import random, sys, time, transaction
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Noop
with connect(sys.argv[1]) as connection:
    client = Client(connection)
    client.enqueue(Noop(nowutc()))
    transaction.commit()
    time.sleep(1)
    sent = []
    for number in range(int(sys.argv[2])):
        task = Noop(nowutc())
        client.enqueue(task)
        sent.append((time.time(), task))
        transaction.commit()
        time.sleep(random.uniform(0.03, 0.09))
    time.sleep(1)
    connection.sync()
    waits = sorted(task.getStartedOn().timestamp() - moment for moment, task in sent)
    for part in (50, 99):
        print(waits[len(waits) * part // 100] * 1e3, flush=True)
"""


def bench_latency():
    """Print how long a task waits that comes alone, from the call of `commit()` to its start."""
    with postgres.server() as server:
        for kind in PLACES:
            for mode in MODES:
                with ExitStack() as stack:
                    place, _ = _running(kind, mode, server, stack)
                    command = [sys.executable, "-c", IDLE_CLIENT, place.uri, str(LATENCIES)]
                    printed = subprocess.run(command, capture_output=True, text=True, check=True)
                half, most = map(float, printed.stdout.split())
                say(f"latency, {kind}, {mode}: p50", half, "ms")
                say(f"latency, {kind}, {mode}: p99", most, "ms")


def bench_live():
    """Print how many tasks a second one client commits and has run."""
    _bench(EMBEDDED, (1,))


def bench_clients():
    """Print how many tasks a second four clients commit and have run."""
    _bench(EMBEDDED, (4,))


def bench_zeo():
    """Print how many tasks a second one client, and four, commit and have run on ZEO."""
    _bench(("ZEO",), (1, 4))


def bench_postgres():
    """Print how many tasks a second one client, and four, commit and have run on PostgreSQL."""
    _bench(("PostgreSQL",), (1, 4))


def _bench(kinds, numbers):
    head = ("database", "mode", "clients", "sent/s", "run/s", "p99 ms", "max ms")
    _print(*head, "transactions", "CPU ms", "bytes")
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server()) if "PostgreSQL" in kinds else None
        for kind in kinds:
            for mode in MODES:
                for clients in numbers:
                    _live(kind, mode, clients, server)


def bench_live_peers():
    """Print how many tasks a second others have sent and run, of one client and of four."""
    _print("peer", "", "clients", "sent/s", "run/s", *("",) * 5)
    with postgres.server() as server:
        for name, peer in live_peers.PEERS.items():
            for clients in (1, 4):
                with ExitStack() as stack:
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                    uri = stack.enter_context(postgres.database(server))
                    sent, ran = live_peers.live(peer, folder, uri, clients, TASKS)
                _print(name, "", clients, f"{sent:.0f}", f"{ran:.0f}", *("",) * 5)


def _live(kind, mode, clients, server):
    with ExitStack() as stack:
        place, daemon = _running(kind, mode, server, stack)
        database = stack.enter_context(closing(open_database(place.uri)))
        senders = [
            stack.enter_context(_client(place.uri, TASKS // clients)) for _ in range(clients)
        ]
        for sender in senders:
            sender.stdout.readline()
        newest, busy = place.newest(), _cpu([*place.processes(), *daemon.family()])
        began = time.perf_counter()
        for sender in senders:
            print("go", file=sender.stdin, flush=True)
        spent = [[float(each) for each in s.stdout.readline().split()] for s in senders]
        sent = time.perf_counter() - began
        count = TASKS // clients * clients
        wait_for(lambda: transact(database, _finished) >= count, DEADLINE)
        ran = time.perf_counter() - began
        own = [psutil.Process(sender.pid) for sender in senders]
        spent_cpu = _cpu([*place.processes(), *daemon.family(), *own])
        busy = sum(each - busy.get(process, 0.0) for process, each in spent_cpu.items())
        for sender in senders:
            sender.communicate("end\n")
        commits = place.since(newest)
        size = sum(commit.size for commit in commits)
        _print(
            *(kind, mode, clients, f"{count / sent:.0f}", f"{count / ran:.0f}"),
            *(
                f"{max(each[1] for each in spent) * 1e3:.1f}",
                f"{max(s[2] for s in spent) * 1e3:.0f}",
            ),
            *(f"{len(commits) / count:.2f}", f"{busy / count * 1e3:.2f}", f"{size / count:.0f}"),
        )


def _running(kind, mode, server, stack):
    """Start a daemon on a new database of this *kind*; return the place of that, and the daemon."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    place = stack.enter_context(PLACES[kind](folder, _free_port(), server))
    daemon = Daemon(folder, place.uri, multitask_mode=mode, workers=2)
    stack.callback(daemon.close)
    daemon.wait_until_up()
    return place, daemon


def _finished(connection):
    return Client(connection).getStatus()["finished"]


def _client(uri, count):
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, uri, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _cpu(processes):
    """Return the CPU seconds of each of *processes* that still lives: a server ends some."""
    seconds = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            seconds[process] = sum(process.cpu_times()[:2])
    return seconds


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _print(*cells):
    widths = (26, 10, 8, 8, 8, 8, 8, 13, 8, 8)
    line = "".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths, strict=True))
    sys.stdout.write(f"{line.rstrip()}\n")
    sys.stdout.flush()


BENCHMARKS = {
    "latency": bench_latency,
    "live": bench_live,
    "clients": bench_clients,
    "zeo": bench_zeo,
    "postgres": bench_postgres,
    "live-peers": bench_live_peers,
}
