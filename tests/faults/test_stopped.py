"""Who has the file of the embedded database, and is stopped, is killed: nobody waits for it.

Covers `scheduler.leadership.watchdog`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import closing, suppress

import httpx
import pytest
import transaction
from ZEO.Exceptions import ClientDisconnected

from scheduler import Client, nowutc
from scheduler.errors import SchedulerException
from scheduler.leadership.roster import roster_of
from scheduler.store import connect, holder_of
from scheduler.tasks import OneShotTask
from tests.faults.processes import Daemon
from tests.scheduler.harness import python
from tests.waiting import wait_for

DEADLINE = 60.0

SCHEDULER = """
import sys
from scheduler import Scheduler
Scheduler(database=sys.argv[1], standby=True, sleep_interval=1).run()
"""

# It has the file before anybody leads, and stands by afterwards.
OWNER = """
import sys
from scheduler import Scheduler
from scheduler.store import open_database
database = open_database(sys.argv[1])
print("serving", flush=True)
input()
Scheduler(database=database, standby=True).run()
"""

# It takes the file as soon as it is free, and is stopped before anybody can join.
STOPPED_HEIR = """
import os, signal, sys, time
import zc.lockfile
print("waiting", flush=True)
while True:
    try:
        lock = zc.lockfile.LockFile(sys.argv[1])
        break
    except zc.lockfile.LockError:
        time.sleep(0.005)
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


def test_a_stand_by_that_serves_the_file_and_is_stopped_does_not_hold_up_the_leader(file, start):
    owner = start(OWNER, f"file://{file}")
    leader = start(SCHEDULER, f"file://{file}")
    wait_for(lambda: leads(file, leader), DEADLINE)
    print(file=owner.stdin, flush=True)
    wait_for(lambda: look(file, lambda own: len(roster_of(own).standing_by())) == 1, DEADLINE)
    owner.send_signal(signal.SIGSTOP)
    assert owner.wait(DEADLINE) == -signal.SIGKILL
    wait_for(lambda: holder_of(f"file://{file}") is not None, DEADLINE)
    wait_for(lambda: leads(file, leader), DEADLINE)
    assert runs_tasks(file)


def test_an_heir_that_is_stopped_before_it_serves_the_file_does_not_hold_up_who_stands_by(
    file, start
):
    owner = start(OWNER, f"file://{file}")
    scheduler = start(SCHEDULER, f"file://{file}")
    wait_for(lambda: leads(file, scheduler), DEADLINE)
    heir = start(STOPPED_HEIR, f"{file}.lock")
    owner.kill()
    assert heir.wait(DEADLINE) == -signal.SIGKILL
    wait_for(lambda: holder_of(f"file://{file}") is not None, DEADLINE)
    wait_for(lambda: leads(file, scheduler), DEADLINE)
    assert runs_tasks(file)


def test_a_scheduler_starts_though_the_file_belongs_to_a_stopped_process(file, start):
    heir = start(STOPPED_HEIR, f"{file}.lock")
    scheduler = start(SCHEDULER, f"file://{file}")
    assert heir.wait(DEADLINE) == -signal.SIGKILL
    wait_for(lambda: holder_of(f"file://{file}") is not None, DEADLINE)
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
        assert "<td>stopped</td>" in httpx.get(page).text
        wait_for(
            lambda: [each.pid for each in daemon.workers()] not in ([], [worker.pid]), DEADLINE
        )
        assert runs_tasks(file)
        assert f"worker process-0 (pid {worker.pid}) is stopped" in daemon.text()


def shown(uri):
    """Return what `indico_scheduler show workers` prints."""
    command = [sys.executable, "-m", "daemon.cli.main", "show", "workers", "--database", uri]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_process_that_only_has_the_number_in_the_lock_file_is_not_its_holder(file, start):
    other = start("print('here', flush=True); input()", "")
    file.with_name("data.fs.lock").write_text(f"{other.pid}\n")
    assert holder_of(f"file://{file}") is None
