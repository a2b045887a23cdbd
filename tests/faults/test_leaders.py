"""Five schedulers: the one that leads is killed, stopped or cut off; each date is met once."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from ZEO.Exceptions import ClientDisconnected

from scheduler import nowutc
from scheduler.leadership.roster import roster_of
from scheduler.store import open_database
from scheduler.tasks import IntervalTask, OneShotTask
from tests.faults.test_zeo import serving
from tests.ports import free_port
from tests.postgres import connect
from tests.scheduler.harness import Running, View, python
from tests.waiting import wait_for

SCHEDULERS = 5
SCHEDULES = 50
# How often the leader is overthrown on each storage, and how soon another must lead.
OVERTHROWS, TAKEOVER_SECONDS = (200, 5) if os.environ.get("SOAK") else (3, 60)
DEADLINE = 120

SCHEDULER = """
import sys
from scheduler import Scheduler
Scheduler(
    database=sys.argv[1], standby=True, workers=2, sleep_interval=1, task_max_tries=1000
).run()
"""


class Calendar(IntervalTask):
    """Notes each date at which it is run, every two seconds."""

    catchUp = "all"
    # One that is stopped in the middle of a run, and ends it when it is continued, ran meanwhile.
    overlap = "queue"

    def __init__(self, start):
        super().__init__(2, start)
        self.dates = []

    def run(self):
        self.dates = [*self.dates, self.getStartOn()]


class Once(OneShotTask):
    runs = 0

    def run(self):
        self.runs += 1


class Cable:
    """A connection to a server that can be cut and mended."""

    def __init__(self, connect):
        self._connect = connect
        self._is_cut = False
        self._ends = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self._is_cut = True
        for end in self._ends:
            hang_up(end)

    def mend(self):
        self._ends.clear()
        self._is_cut = False

    def close(self):
        self.cut()
        hang_up(self._listener)

    def _accept(self):
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                ours.close()
                continue
            theirs = self._connect()
            self._ends += [ours, theirs]
            for end in (ours, theirs):
                if end.family == socket.AF_INET:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


def pump(source, target):
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    hang_up(source)
    hang_up(target)


def hang_up(end):
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Server:
    """What the schedulers share: an embedded database, or a server that each has a cable to."""

    def __init__(self, uri, connect=None, uri_at=None):
        self.uri = uri
        self._connect = connect
        self._uri_at = uri_at
        self.can_be_cut = connect is not None

    def cable(self):
        return Cable(self._connect) if self.can_be_cut else None

    def uri_over(self, cable):
        return self.uri if cable is None else self._uri_at(cable.port)


class Party:
    """One scheduler's process, with its cable."""

    def __init__(self, server):
        self.cable = server.cable()
        uri = server.uri_over(self.cable)
        self.process = python(SCHEDULER, uri, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def close(self):
        self.process.kill()
        self.process.wait()
        if self.cable is not None:
            self.cable.close()


class Election:
    """Five schedulers of one database, and somebody who looks on."""

    def __init__(self, server):
        self.server = server
        self.parties = [Party(server) for _ in range(SCHEDULERS)]
        self.view = View(open_database(server.uri))
        self.takeovers = []

    def look(self, question):
        """Return the answer to *question*, a function; None while the database is away."""
        try:
            self.view.refresh()
            return question()
        except ClientDisconnected:
            self.view.manager.abort()
            return None

    def leader(self):
        pid = self.look(lambda: roster_of(self.view.connection).pid)
        return next((party for party in self.parties if party.pid == pid), None)

    def is_complete(self):
        """Say whether one leads and all others stand by."""
        standing_by = self.look(lambda: roster_of(self.view.connection).standing_by())
        return self.leader() is not None and len(standing_by or ()) == SCHEDULERS - 1

    def overthrow(self, how):
        leader = wait_for(self.leader, DEADLINE)
        began = time.monotonic()
        {
            "kill": leader.process.kill,
            "stop": lambda: leader.process.send_signal(signal.SIGSTOP),
            "cut": leader.cable and leader.cable.cut,
        }[how]()
        wait_for(lambda: self.leader() not in (None, leader), DEADLINE)
        self.takeovers.append(time.monotonic() - began)
        self._restore(leader, how)

    def _restore(self, party, how):
        if how == "cut":
            party.cable.mend()
        elif how == "stop":
            party.process.send_signal(signal.SIGCONT)
        elif how == "kill":
            party.process.wait()
        # One that was stopped in everybody's way is killed by the others.
        for dead in [each for each in self.parties if each.process.poll() is not None]:
            dead.close()
            self.parties.remove(dead)
            self.parties.append(Party(self.server))

    def close(self):
        for party in self.parties:
            party.close()
        self.view.close()
        self.view.database.close()


@pytest.fixture
def embedded(tmp_path):
    return Server(f"file://{tmp_path}/data.fs")


@pytest.fixture
def zeo(tmp_path):
    port = free_port()
    uri = f"zeo://127.0.0.1:{port}?wait_timeout=10"
    with serving(tmp_path / "zeo.fs", port):
        open_database(uri).close()
        yield Server(
            uri,
            lambda: socket.create_connection(("127.0.0.1", port)),
            lambda port: f"zeo://127.0.0.1:{port}?wait_timeout=2",
        )


@pytest.fixture
def postgres(postgres_server, postgres_uri):
    name = urlsplit(postgres_uri).path.strip("/")
    return Server(
        postgres_uri,
        partial(connect, postgres_server),
        lambda port: f"postgresql://postgres:@127.0.0.1:{port}/{name}",
    )


@pytest.fixture(params=["embedded", "zeo", "postgres"])
def election(request):
    election = Election(request.getfixturevalue(request.param))
    yield election
    election.close()


@pytest.mark.parametrize("kind", ["zeo", "postgres"])
def test_a_scheduler_that_was_cut_off_is_there_again(request, caplog, kind):
    server = request.getfixturevalue(kind)
    cable = server.cable()
    database, beside = open_database(server.uri_over(cable)), open_database(server.uri)
    view = View(beside)
    run = Running(database, standby=True)
    view.enqueue(Once(nowutc()))
    view.until_counts(finished=1)
    caplog.clear()
    cable.cut()
    wait_for(lambda: "the database is away" in caplog.text)
    cable.mend()
    view.enqueue(Once(nowutc()))
    view.until_counts(finished=2)
    run.scheduler.shutdown()
    assert (run.join(), run.error) == (0, None)
    view.close()
    for each in (database, beside):
        each.close()
    cable.close()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_date_is_met_once_whatever_becomes_of_the_leader(election):
    view = election.view
    start = nowutc()
    calendars = [Calendar(start) for _ in range(SCHEDULES)]
    tasks = [Once(start) for _ in range(SCHEDULES)]
    wait_for(election.is_complete, DEADLINE)
    view.refresh()
    view.enqueue(*calendars, *tasks)

    ways = ["kill", "stop", "cut"] if election.server.can_be_cut else ["kill", "stop"]
    for number in range(OVERTHROWS):
        time.sleep(random.uniform(0, 1.5))
        election.overthrow(ways[number % len(ways)])

    end = nowutc()
    wait_for(
        lambda: election.look(lambda: all(c.dates and c.dates[-1] > end for c in calendars)),
        DEADLINE,
    )
    wait_for(lambda: election.look(lambda: all(task.runs for task in tasks)), DEADLINE)
    for calendar in calendars:
        first = calendar.dates[0]
        assert calendar.dates == [
            first + timedelta(seconds=2 * number) for number in range(len(calendar.dates))
        ]
        assert first - start <= timedelta(seconds=2)
    assert {task.runs for task in tasks} == {1}
    assert max(election.takeovers) < TAKEOVER_SECONDS, sorted(election.takeovers)[-5:]
