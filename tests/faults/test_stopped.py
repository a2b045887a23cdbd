"""A process that is stopped in its commit to the embedded database is killed: nobody waits.

Covers `scheduler.leadership.watchdog`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
import transaction
from ZEO.Exceptions import ClientDisconnected

from scheduler import Client, nowutc
from scheduler.errors import SchedulerException
from scheduler.leadership.roster import roster_of
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store import connect
from scheduler.tasks import OneShotTask
from tests.faults.processes import Daemon
from tests.scheduler.harness import python
from tests.waiting import DEADLINE, wait_for

SCHEDULER = """
import sys
from scheduler import Scheduler
Scheduler(database=sys.argv[1], standby=True, sleep_interval=1).run()
"""

STOPPED_IN_ITS_COMMIT = """
import fcntl, os, signal, sys
turn = open(sys.argv[1], "a")
fcntl.flock(turn, fcntl.LOCK_EX)
os.kill(os.getpid(), signal.SIGSTOP)
"""


class Mark(OneShotTask):
    def run(self):
        self.is_run = True


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data.fs"


@pytest.fixture
def start():
    """Start a process that runs this code, and wait until it has said something, if it does."""
    processes = []

    def start_one(code, argument):
        process = python(code, argument, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        if "print" in code:
            process.stdout.readline()
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def look(file, question):
    """Return the answer of *question* to a connection; None while the database is away."""
    with suppress(SchedulerException, ClientDisconnected), connect(f"file://{file}") as connection:
        return question(connection)


def leads(file, process):
    return look(file, lambda own: roster_of(own).pid) == process.pid


def runs_tasks(file):
    with connect(f"file://{file}") as connection:
        task = Mark(nowutc())
        Client(connection).enqueue(task)
        transaction.commit()
        wait_for(lambda: connection.sync() or getattr(task, "is_run", False), DEADLINE)
    return True


def test_a_process_that_is_stopped_in_its_commit_does_not_hold_up_the_leader(file, start):
    scheduler = start(SCHEDULER, f"file://{file}")
    wait_for(lambda: leads(file, scheduler), DEADLINE)
    stopped = start(STOPPED_IN_ITS_COMMIT, f"{file}.turn")
    wait_for(lambda: ProcessIdentity.holding(Path(f"{file}.turn")), DEADLINE)
    assert runs_tasks(file)
    assert stopped.wait(DEADLINE) == -signal.SIGKILL
    assert leads(file, scheduler)


def test_a_scheduler_starts_though_a_process_is_stopped_in_its_commit(file, start):
    with connect(f"file://{file}"):
        stopped = start(STOPPED_IN_ITS_COMMIT, f"{file}.turn")
        wait_for(lambda: ProcessIdentity.holding(Path(f"{file}.turn")), DEADLINE)
    scheduler = start(SCHEDULER, f"file://{file}")
    assert stopped.wait(DEADLINE) == -signal.SIGKILL
    wait_for(lambda: leads(file, scheduler), DEADLINE)


def test_a_worker_that_is_stopped_is_seen_from_outside_and_replaced(file, tmp_path):
    uri = f"file://{file}"
    settings = {"multitask_mode": "processes", "workers": 1, "worker_silence": 8}
    with closing(Daemon(tmp_path, uri, **settings)) as daemon:
        daemon.wait_until_up()
        (page,) = re.findall(r"front end is at (http\S+)", daemon.text())
        (worker,) = wait_for(daemon.workers)
        wait_for(lambda: f"process-0/{worker.pid}" in shown(uri), DEADLINE)
        worker.suspend()
        wait_for(lambda: "stopped" in shown(uri), DEADLINE)
        assert ">stopped</span>" in httpx.get(page).text
        wait_for(
            lambda: [each.pid for each in daemon.workers()] not in ([], [worker.pid]), DEADLINE
        )
        assert runs_tasks(file)
        assert f"worker process-0 (pid {worker.pid}) is stopped" in daemon.text()


def shown(uri):
    """Return what `indico_scheduler show workers` prints."""
    command = [sys.executable, "-m", "daemon.cli.main", "show", "workers", "--database", uri]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
