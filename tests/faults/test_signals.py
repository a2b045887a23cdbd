"""A task that waits for a signal outlives its daemon, and so does the signal, given once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import pytest
import transaction
from BTrees.LOBTree import LOBTree

from scheduler import TASK_STATUS_QUEUED, Client
from scheduler.leadership.roster import roster_of
from scheduler.store import connect
from scheduler.tasks.handle import TaskHandle
from tests.faults.processes import Daemon
from tests.scheduler.harness import View
from tests.scheduler.sample_signals import approve, collect
from tests.waiting import DEADLINE, wait_for

NAMES, KILLS = (300, 30) if os.environ.get("SOAK") else (24, 2)


def awaited(client, number):
    task = client.getTask(number)
    return task.getStatus() == TASK_STATUS_QUEUED and TaskHandle(task).awaited


@pytest.fixture
def indico_scheduler(uri):
    """Run the command; return what it prints."""

    def run(*words):
        command = [sys.executable, "-m", "daemon.cli.main", *words, "--database", uri]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_signal_is_received_though_the_daemon_was_killed(uri, tmp_path, indico_scheduler):
    with connect(uri):
        number = approve.enqueue(17).getId()
        transaction.commit()
    daemon = Daemon(tmp_path, uri, workers=1, multitask_mode="processes")
    try:
        with connect(uri) as connection:
            client = Client(connection)
            wait_for(lambda: (connection.sync(), awaited(client, number))[1], what="the wait")
        daemon.kill()
        assert "waiting for signal approved-17" in indico_scheduler("show", "tasks")
        payload = json.dumps({"by": "anna"})
        indico_scheduler("cmd", "signal", "approved-17", "--payload", payload)
        daemon.start()
        with connect(uri) as connection:
            client = Client(connection)
            assert client.waitFor(client.getTask(number), DEADLINE) == {"by": "anna"}
            assert connection.root()["notes"] == ["began 17"]
    finally:
        daemon.close()


class Pair:
    """Two daemons of one database: the one that leads is killed, and stands by afterwards."""

    def __init__(self, uri, folder, view, stack):
        self._view = view
        self._daemons = []
        for name in ("one", "other"):
            (folder / name).mkdir()
            settings = {"standby": True, "workers": 2, "multitask_mode": "processes"}
            self._daemons.append(Daemon(folder / name, uri, **settings))
            stack.callback(self._daemons[-1].close)

    def overthrow(self):
        """Kill the leader when another one stands by, and start it again."""
        leader = self._view.until(self._leader)
        workers = leader.workers()
        leader.kill()
        for worker in workers:
            worker.kill()
        self._view.until(lambda: self._leading() not in (None, leader))
        leader.start()

    def _leader(self):
        return self._leading() if roster_of(self._view.connection).standing_by() else None

    def _leading(self):
        pid = roster_of(self._view.connection).pid
        return next((each for each in self._daemons if each.process.pid == pid), None)


def give(view, names, payload):
    for name in names:
        view.client.signal(name, (name, payload))
        view.commit()


def test_no_signal_is_lost_or_received_twice_though_leaders_are_killed(uri, database, tmp_path):
    before = [f"before {number}" for number in range(NAMES)]
    behind = [f"behind {number}" for number in range(NAMES)]
    view = View(database)
    received = view.root["received"] = LOBTree()
    view.commit()
    collecting = collect.using(view.connection)
    waiting = {name: collecting.enqueue(name) for name in behind}
    view.commit()
    with ExitStack() as stack:
        stack.callback(view.close)
        pair = Pair(uri, tmp_path, view, stack)
        for part in range(KILLS):
            give(view, before[part::KILLS], "first")  # nobody waits yet: each is kept for one
            give(view, behind[part::KILLS], "first")
            pair.overthrow()
            twins = {name: [collecting.enqueue(name) for _ in "ab"] for name in before[part::KILLS]}
            waiting |= {(name, at): twins[name][at] for name in twins for at in (0, 1)}
            view.commit()
        pair.overthrow()
        view.until(lambda: len(received) == 2 * NAMES, every=0.1)
        give(view, before, "second")  # for the twin that has not received the first
        view.until(lambda: len(received) == 3 * NAMES, every=0.1)
        view.until(lambda: not set(view.counts()) - {"finished"}, every=0.1)
    assert {len(payloads) for payloads in received.values()} == {1}
    given = Counter(payload for payloads in received.values() for payload in payloads)
    assert given == Counter(
        [(name, "first") for name in (*before, *behind)] + [(name, "second") for name in before]
    )
