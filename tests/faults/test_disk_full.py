"""A disk that is full: nothing is lost, and the daemon goes on when there is room again.

Covers `scheduler.storage.embedded_file`, `scheduler.storage.outage`.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing

import pytest
import transaction

from scheduler import Client, SchedulerModule, nowutc
from scheduler.storage.outage import is_outage
from scheduler.store import connect
from tests import full_disk
from tests.faults.processes import Daemon
from tests.scheduler.sample_tasks import Count
from tests.waiting import wait_for

ROOM = 60_000  # bytes
TASKS = 100


def give_room(daemon, file, bytes_more):
    """Let this process and those of the daemon write only so many bytes more to the file."""
    limit = full_disk.EVER if bytes_more is None else file.stat().st_size + bytes_more
    for pid in (os.getpid(), *(each.pid for each in daemon.family())):
        full_disk.limit(pid, limit)


@pytest.fixture(autouse=True)
def room_afterwards(monkeypatch):
    """This process may write again what it likes after each test."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    full_disk.limit(0, full_disk.EVER)


class Write(Count):
    """Writes more than there is room for before long, so that mostly a worker's commit fails."""

    def run(self):
        super().run()
        self.written = b"x" * 10_000


def enqueue(uri):
    """Enqueue a task; say whether there was room for it."""
    try:
        with connect(uri) as connection:
            Client(connection).enqueue(Write(nowutc()))
            transaction.commit()
            return True
    except Exception as error:
        if not is_outage(error):
            raise
        return False


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_full_disk_costs_no_task_and_the_daemon_goes_on(tmp_path, mode):
    file, uri = tmp_path / "data.fs", f"file://{tmp_path}/data.fs"
    with connect(uri) as connection:
        connection.root()["count"] = 0
        transaction.commit()

    settings = {"multitask_mode": mode, "sleep_interval": 1}
    environment = full_disk.environment()
    with closing(Daemon(tmp_path, uri, environment=environment, **settings)) as daemon:
        daemon.wait_until_up()
        give_room(daemon, file, ROOM)
        enqueued = 0
        while enqueued < TASKS and enqueue(uri):
            enqueued += 1
        assert enqueued < TASKS
        wait_for(lambda: "cannot write" in daemon.text())
        give_room(daemon, file, None)
        assert enqueue(uri)
        wait_for(lambda: finished(uri) == enqueued + 1)
        assert daemon.terminate() == 0
        assert "Traceback" not in daemon.text()

    with connect(uri) as connection:
        assert connection.root()["count"] == enqueued + 1


def finished(uri):
    with connect(uri) as connection:
        return SchedulerModule.getDBInstance(connection).getStatus()["finished"]
