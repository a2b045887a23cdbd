"""Benchmark of steady traffic: so many tasks a second for so long, and what becomes of the rest.

The daemon is started by its command and keeps a few of the ended tasks; the client is a process
of its own that commits what is due each hundredth of a second. In the middle, the database is
packed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import islice
from pathlib import Path

from scheduler import Client, SchedulerModule, nowutc
from scheduler.store import open_database, transact
from tests.bench.ground import say
from tests.faults.processes import Daemon
from tests.scheduler.sample_tasks import Noop
from tests.waiting import wait_for

RATE = int(os.environ.get("BENCH_STEADY_RATE", "1000"))
SECONDS = int(os.environ.get("BENCH_STEADY_SECONDS", "60"))
KEEP = int(os.environ.get("BENCH_STEADY_KEEP", "10000"))
LOOK_SECONDS = 2.0
LOOKED_AT = 1000
BACKLOG_SECONDS = 300
BACKLOG, KEPT = 30_000, 1_000

CLIENT = """
import sys, time, transaction
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Noop
rate, seconds = int(sys.argv[2]), float(sys.argv[3])
with connect(sys.argv[1]) as connection:
    client = Client(connection)
    began, sent = time.monotonic(), 0
    while sent < rate * seconds:
        due = int(min(seconds, time.monotonic() - began) * rate)
        for _ in range(due - sent):
            client.enqueue(Noop(nowutc()))
        transaction.commit()
        sent = due
        time.sleep(0.01)
    print(sent, time.monotonic() - began, flush=True)
"""


class Look:
    """What is seen at a moment: memory in MB, the file's size in MB, lateness in ms."""

    def __init__(self, database, daemon, file):
        self.memory = sum(each.memory_full_info().pss for each in daemon.family()) / 2**20
        self.size = file.stat().st_size / 2**20
        self.finished, self.late = transact(database, _newest)


def bench_steady():
    """Send tasks at a steady rate; print what ran, how late, and what grew."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri, file = f"file://{folder}/data.fs", folder / "data.fs"
        daemon = Daemon(
            folder, uri, multitask_mode="processes", workers=2, keep_finished_count=KEEP
        )
        stack.callback(daemon.close)
        daemon.wait_until_up()
        database = stack.enter_context(closing(open_database(uri)))
        command = [sys.executable, "-c", CLIENT, uri, str(RATE), str(SECONDS)]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            before = _looks(client, database, daemon, file, began + SECONDS / 2)
            pack = subprocess.Popen([sys.executable, *_PACK, uri], stdout=subprocess.DEVNULL)
            during = _looks(client, database, daemon, file, None, until=pack.poll)
            after = _looks(client, database, daemon, file, None)
            sent, seconds = client.stdout.read().split()
        wait_for(lambda: transact(database, _is_idle), BACKLOG_SECONDS)
        behind = time.monotonic() - began - float(seconds)
        say(f"sent, of {RATE:,} a second", int(sent) / float(seconds), "tasks/s")
        say("  done after the last was sent", behind, "s")
        for name, looks in (("before", before), ("during", during), ("after", after)):
            _tell(f"{name} the pack", looks)


def _tell(name, looks):
    late = sorted(each for look in looks for each in look.late)
    if not late:
        say(f"{name}: nothing was seen", 0, "")
        return
    say(f"{name}: lateness p99", late[len(late) * 99 // 100], "ms")
    say(f"{name}: lateness, longest", late[-1], "ms")
    say(f"{name}: finished tasks at most, {KEEP:,} kept", max(x.finished for x in looks), "")
    say(f"{name}: memory of the daemon, first", looks[0].memory, "MB")
    say(f"{name}: memory of the daemon, last", looks[-1].memory, "MB")
    say(f"{name}: size of the file, last", looks[-1].size, "MB")


_PACK = ("-m", "daemon.cli.main", "db", "pack", "--keep", "1", "--database")


def _looks(client, database, daemon, file, end, until=lambda: None):
    """Look time and again, until *end*, or *until* returns something, or *client* has ended."""
    looks = []
    while client.poll() is None and until() is None and (end is None or time.monotonic() < end):
        looks.append(Look(database, daemon, file))
        time.sleep(LOOK_SECONDS)
    return looks


def _newest(connection):
    index = SchedulerModule.getDBInstance(connection).getFinishedIndex()
    late = [
        (task.getStartedOn() - task.getStartOn()) / timedelta(milliseconds=1)
        for _, task in islice(index.newest(), LOOKED_AT)
    ]
    connection.cacheMinimize()
    return len(index), late


def _is_idle(connection):
    status = Client(connection).getStatus()
    return not status["spooled"] and not status["waiting"] and not status["running"]


def bench_retention():
    """Drain a backlog as fast as it goes; print how many of the ended tasks remain, how long."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = f"file://{folder}/data.fs"
        database = stack.enter_context(closing(open_database(uri)))
        transact(database, _enqueue)
        daemon = Daemon(
            folder, uri, multitask_mode="processes", workers=2, keep_finished_count=KEPT
        )
        stack.callback(daemon.close)
        began = time.monotonic()
        most = 0
        while not transact(database, _is_idle):
            most = max(most, transact(database, _finished))
            time.sleep(0.2)
        drained = time.monotonic()
        say("drained", BACKLOG / (drained - began), "tasks/s, the start included")
        say(
            f"  finished tasks at most, {KEPT:,} kept", max(most, transact(database, _finished)), ""
        )
        wait_for(lambda: transact(database, _finished) <= KEPT, BACKLOG_SECONDS)
        say("  down to those kept after", time.monotonic() - drained, "s")


def _enqueue(connection):
    client = Client(connection)
    for _ in range(BACKLOG):
        client.enqueue(Noop(nowutc()))


def _finished(connection):
    return Client(connection).getStatus()["finished"]


BENCHMARKS = {"steady": bench_steady, "retention": bench_retention}
