"""Benchmark of the export: what one process on one core answers while the scheduler works.

Each rate stands next to that of the same server's constant answer, and next to the raw load of the
same objects from the database.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.person import ContributionParticipation
from scheduler.store import open_database
from tests.bench.ground import say, timed

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "2000"))
CLIENTS = 8
TALKS, EVENTS = 200, 50
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANSWERS = {
    "event": ("/export/event/1.json", ["1"], REQUESTS),
    f"event and {TALKS} talks": (
        "/export/event/2.json?detail=contributions",
        ["2"],
        REQUESTS // 20,
    ),
    f"category of {EVENTS} events": (
        "/export/categ/9.json",
        [str(number) for number in range(100, 100 + EVENTS)],
        REQUESTS // 10,
    ),
}
"""What is asked for, which events are in the answer, and how often it is asked for."""


def bench_export():
    """Ask for an event, for one with all its talks, for a category, and for a constant."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        with started("export_daemon", uri), started("export_server", uri) as port:
            constant = rate(port, "/constant", REQUESTS)
            say("export, constant of the same server", constant, "/s")
            for name, (address, events, times) in ANSWERS.items():
                measured = rate(port, address, times)
                say(f"export, {name}", measured, "/s")
                say("  of the rate of the constant", 100 * measured / constant, "%")
                say("  time for one, of its raw load", 1 / measured / raw_load(uri, events), "x")
            percentiles = at_once(port, ANSWERS["event"][0])
            say(f"export, event, {CLIENTS} clients, p50", 1000 * percentiles[49], "ms")
            say("  p99", 1000 * percentiles[98], "ms")
            say("  p99 of p50", percentiles[98] / percentiles[49], "x")


def plant(connection):
    """Make an event without contributions, one with many, and a category of some."""
    found = catalogue(connection)
    for number in (1, 2):
        found.add_event(event(number))
    for number in range(TALKS):
        talk = Contribution(str(number), f"Talk {number}", "What is said here. " * 20)
        talk.duration = timedelta(minutes=20)
        talk.speakers = (
            ContributionParticipation(str(number), "Ada", "Byron", "London", "ada@example.org"),
        )
        start = START + timedelta(minutes=20 * number)
        talk.setDates(start, start + talk.duration)
        found.event("2").addContribution(talk)
    category = Category("9", "Many")
    found.add_category(category)
    for number in range(100, 100 + EVENTS):
        found.add_event(event(number), category)


def event(number, later=timedelta()):
    made = Conference(str(number), f"Conference {number}", "<p>About everything</p>")
    made.setDates(START + later, START + later + timedelta(days=5))
    return made


def rate(port, address, times):
    """Return the requests per second that one client gets answered."""
    client = Asker(port)
    for _ in range(10):
        client.ask(address)
    seconds, _ = timed(lambda: [client.ask(address) for _ in range(times)])
    client.close()
    return times / seconds


def at_once(port, address):
    """Let clients ask at once; return the percentiles of the seconds that answers took."""

    def ask(_):
        client = Asker(port)
        for _ in range(50):
            client.ask(address)
        waits = [timed(client.ask, address)[0] for _ in range(REQUESTS // CLIENTS)]
        client.close()
        return waits

    with ThreadPoolExecutor(CLIENTS) as pool:
        waits = [wait for waits in pool.map(ask, range(CLIENTS)) for wait in waits]
    return statistics.quantiles(waits, n=100)


def raw_load(uri, events):
    """Return the seconds that loading *events* with all that is in them takes."""
    database = open_database(uri)
    connection = database.open()
    best = 1.0
    for _ in range(5):
        connection.cacheMinimize()
        best = min(best, timed(_load, connection, events)[0])
    connection.close()
    database.close()
    return best


def _load(connection, events):
    found = catalogue(connection)
    for event_id in events:
        event = found.event(event_id)
        event._p_activate()
        for talk in event.contributions.values():
            talk._p_activate()


class Asker:
    """A client that costs next to nothing: one connection, one answer at a time."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, address):
        """Ask once, and read the whole answer."""
        self._socket.sendall(f"GET {address} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._read()
        head, _, body = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{address} is answered with {head[:60]!r}")
        missing = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(body)
        while missing > 0:
            missing -= len(self._read())

    def close(self):
        self._socket.close()

    def _read(self):
        part = self._socket.recv(1 << 16)
        if not part:
            raise RuntimeError("the server has closed the connection")
        return part


@contextmanager
def started(module, *words):
    """Run *module* with *words* in a process of its own; give what it says first."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as one:
        try:
            yield one.stdout.readline().strip()
        finally:
            one.terminate()
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()


BENCHMARKS = {"export": bench_export}
