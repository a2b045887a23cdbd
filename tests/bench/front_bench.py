"""Benchmark of the front end as it is deployed: a daemon by its command, asked over HTTP.

The client beside it, one process that asks on some connections at once, costs little; both cores
are shared by it, the front end's processes, and the scheduler with two idle workers.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from export.answers.reply import SETTLED
from export.auth.tokens import tokens
from export.model.booking_slots import Slots
from export.model.catalogue import catalogue
from export.people.user import Avatar, users
from export.rooms.registry import Location, rooms
from scheduler.store import open_database, transact
from tests.bench.export_bench import EVENTS, START, TALKS, event, plant
from tests.bench.ground import say
from tests.bench.scheduler_bench import latency
from tests.faults.processes import Daemon
from tests.scheduler.harness import View, python

SECONDS = float(os.environ.get("BENCH_FRONT_SECONDS", "1"))
ROUNDS = int(os.environ.get("BENCH_FRONT_ROUNDS", "3"))
STREAMED = int(os.environ.get("BENCH_STREAMED_EVENTS", "20000"))
AGAIN = 3
"""How often they are asked for once more, before the memory is measured."""

LATENCIES = int(os.environ.get("BENCH_FRONT_LATENCIES", "500"))
RESERVATIONS = 20
PLANTED_AT_ONCE = 500
KINDS = ("json", "jsonp", "xml", "html", "ics", "atom")
HAMMER = """
import sys
from tests.bench.front_bench import Connection, answered
asking = [Connection(int(sys.argv[1]), sys.argv[2].encode()) for _ in range(4)]
print("ready", flush=True)
answered(asking, 3600)
"""
QUESTIONS = {
    "event": "/export/event/1.json",
    f"event, {TALKS} contributions": "/export/event/2.json?detail=contributions",
    f"category of {EVENTS} events": "/export/categ/9.json",
    f"room, {RESERVATIONS} reservations": "/export/room/CERN/1.json?detail=reservations",
}


def bench_front():
    """Print how many requests a second are answered, and what that costs the scheduler."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        with closing(open_database(uri)) as database:
            token = transact(database, plant_all)
        for processes in (1, 2):
            for cache in (0, 16):
                settings = {"web__processes": processes, "export__answer_cache": cache}
                with deployed(Path(folder), uri, **settings) as front:
                    time.sleep(SETTLED.total_seconds() + 1)  # then answers keep their headers
                    _ask(front, f"{processes} processes", token, bool(cache))
                    _hammer(front, uri, token)


def _ask(front, what, token, is_keeping):
    say(f"front end, {what}, idle", front.memory(), "MiB")
    for name, address in QUESTIONS.items():
        question = asked(address, token)
        known = asked(address, token, etag_of(front.port, question))
        for connections in (1, 4):
            line = f"{name}; {what}, {connections} connections"
            found = rate(front.port, question, connections)
            say(f"{line}, {'unchanged' if is_keeping else 'computed'}", found, "/s")
            if is_keeping:
                say(f"{line}, 304", rate(front.port, known, connections, 304), "/s")
    say(f"front end, {what}, after that", front.memory(), "MiB")


def _hammer(front, uri, token):
    """Enqueue tasks one by one while another process asks on four connections."""
    question = asked(QUESTIONS["event"], token).decode()
    with (
        python(HAMMER, front.port, question, stdout=subprocess.PIPE) as hammer,
        closing(open_database(uri)) as database,
    ):
        hammer.stdout.readline()
        view = View(database)
        try:
            waits = sorted(latency(view) for _ in range(LATENCIES))
        finally:
            view.close()
            hammer.kill()
    say("enqueue to start meanwhile, p50", waits[len(waits) // 2], "ms")
    say("  p99", waits[len(waits) * 99 // 100], "ms")


def bench_streamed():
    """Ask for all events of a large category, in each format; nothing is loaded yet."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"file://{folder}/bench.fs"
        plant_many(uri)
        for kind in KINDS:
            with deployed(Path(folder), uri) as one:
                question = asked(f"/export/categ/0.{kind}?limit=all")
                first, whole, size = times_of(one.port, question)
                for _ in range(AGAIN):
                    times_of(one.port, question)
                say(f"{STREAMED:,} events as {kind}, first byte", 1000 * first, "ms")
                say(f"  all of {size / 2**20:.1f} MiB", whole, "s")
                say("  most memory of the process that answers", one.peak(), "MiB")


def plant_all(connection):
    """Plant what is asked for; return the token of somebody who may look at rooms."""
    plant(connection)
    place = rooms(connection).add_location(Location("CERN", "Europe/Zurich"))
    room = place.add_room(1, 1, "1", "1", "Large")
    begin = START.replace(tzinfo=None)
    for number in range(RESERVATIONS):
        start = begin + timedelta(days=number)
        room.book(Slots(start, timedelta(hours=1), start.date(), None), "1", "Talk", "Ada Byron")
    users(connection).add(Avatar("1", "Ada", "Byron", "ada@example.org"))
    return tokens(connection).create("1", "all", {"read:legacy_api"})[1]


def plant_many(uri):
    """Plant a large category."""
    with closing(open_database(uri)) as database:
        for first in range(0, STREAMED, PLANTED_AT_ONCE):

            def add(connection, first=first):
                found = catalogue(connection)
                for number in range(first, min(first + PLANTED_AT_ONCE, STREAMED)):
                    found.add_event(event(number, timedelta(hours=number)), found.root)

            transact(database, add)


class Deployed:
    """A daemon that is up, and what it takes."""

    def __init__(self, daemon):
        self._daemon = daemon
        self.port = int(re.search(r"the front end is at \S+:(\d+)", daemon.text())[1])

    def memory(self):
        """Return the MiB of all its processes, each shared page counted once."""
        return sum(each.memory_full_info().pss for each in self._daemon.family()) / 2**20

    def peak(self):
        """Return the most MiB that the daemon's own process has had."""
        status = Path(f"/proc/{self._daemon.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


@contextmanager
def deployed(folder, uri, **settings):
    """Run a daemon in *folder* on the database *uri* that another one may be on, too."""
    named = {f"RELAY_{name.upper()}": str(value) for name, value in settings.items()}
    own = Path(tempfile.mkdtemp(dir=folder))
    with patch.dict(os.environ, named):
        daemon = Daemon(own, uri, workers=2)
    try:
        daemon.wait_until_up()
        yield Deployed(daemon)
    finally:
        daemon.close()


def asked(address, token=None, etag=None):
    """Return the bytes of a request; rooms are for somebody who is known."""
    shown = f"Authorization: Bearer {token}\r\n" if token and "/room/" in address else ""
    known = f"If-None-Match: {etag}\r\n" if etag else ""
    return f"GET {address} HTTP/1.1\r\nHost: bench\r\n{shown}{known}\r\n".encode()


class Connection:
    """A connection whose answers, to the same question, all have the size of the first one."""

    def __init__(self, port, question):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._question = question
        self.head = self._first()
        self._missing = 0

    def ask(self):
        self.socket.sendall(self._question)
        self._missing = self._size

    def is_answered(self):
        """Read what has come; say whether it is all."""
        self._missing -= len(self._read())
        return not self._missing

    def close(self):
        self.socket.close()

    def _first(self):
        """Ask once, and read the head of the answer; it tells how much there is."""
        self.socket.sendall(self._question)
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._read()
        head = found.partition(b"\r\n\r\n")[0].decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        self._size = len(head) + 4 + (int(length[1]) if length else 0)
        missing = self._size - len(found)
        while missing:
            missing -= len(self._read())
        return head

    def _read(self):
        part = self.socket.recv(1 << 18)
        if not part:
            raise RuntimeError("the server has closed the connection")
        return part


def etag_of(port, question):
    with closing(Connection(port, question)) as asking:
        return re.search(r"(?i)etag: (\S+)", asking.head)[1]


def rate(port, question, number, status=200):
    """Return the best of some rates at which a *number* of connections is answered, a second."""
    asking = [Connection(port, question) for _ in range(number)]
    wrong = [each.head for each in asking if not each.head.startswith(f"HTTP/1.1 {status} ")]
    if wrong:
        raise RuntimeError(f"{question!r} is answered with {wrong[0]!r}")
    best = max(answered(asking, SECONDS) / SECONDS for _ in range(ROUNDS))
    for each in asking:
        each.close()
    return best


def answered(asking, seconds):
    """Ask on each of *asking* as soon as it was answered; return how many answers there were."""
    by_number = {each.socket.fileno(): each for each in asking}
    with select.epoll() as poll:
        for number, each in by_number.items():
            poll.register(number, select.EPOLLIN)
            each.ask()
        count, at_work, end = 0, len(asking), time.perf_counter() + seconds
        while at_work:
            for number, _ in poll.poll():
                each = by_number[number]
                if not each.is_answered():
                    continue
                if time.perf_counter() < end:
                    count += 1
                    each.ask()
                else:
                    at_work -= 1
    return count


def times_of(port, question):
    """Return the seconds until the first byte and the last one, and how many there were."""
    with socket.create_connection(("127.0.0.1", port)) as asking:
        began = time.perf_counter()
        asking.sendall(question)
        size = len(asking.recv(1))
        first = time.perf_counter() - began
        while part := asking.recv(1 << 18):
            size += len(part)
        return first, time.perf_counter() - began, size


BENCHMARKS = {"front": bench_front, "streamed": bench_streamed}
