"""What workers and the process that follows have to log stands in the daemon's log."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
import transaction

from livesync import ActionWrapper, PushSyncAgent, RecordUploader, SyncManager
from livesync.errors import PartialFailure
from scheduler import Client, nowutc
from scheduler.store import open_database, transact
from tests.daemon.conftest import environment
from tests.daemon.sample_tasks import Bad, Good, Long
from tests.waiting import wait_for


class _Refusing(RecordUploader):
    def _uploadBatch(self, batch):
        reasons = dict.fromkeys(range(len(batch)), "too long")
        raise PartialFailure("nothing was sent", reasons, reasons.keys())


class RefusingAgent(PushSyncAgent):
    """None of its records can be sent at all."""

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return _Refusing(logger, self).iterateOver(data, dbi)


class Background:
    """A daemon in the background, its log, and its database."""

    def __init__(self, folder, pid):
        self.folder = folder
        self.process = psutil.Process(pid)
        self.database = open_database(f"file://{folder}/data.fs")

    def enqueue(self, *tasks):
        transact(self.database, lambda own: Client(own).enqueueAll(tasks))
        return tasks[0].getId()

    def attempts(self, number):
        """Return the attempts at task *number*."""
        return transact(self.database, lambda own: Client(own).getTask(number).getAttempts())

    def line(self, *parts):
        """Return the one line of the log that has all *parts*, as soon as there is one."""

        def found():
            lines = (self.folder / "relay.log").read_text().splitlines()
            return [line for line in lines if all(part in line for part in parts)]

        (line,) = wait_for(found, what=f"a line with {parts}")
        return line

    def workers(self):
        children = self.process.children()
        return [each for each in children if "scheduler.worker.process" in " ".join(each.cmdline())]


@contextmanager
def started(folder, log=""):
    """Run a daemon in the background in *folder*, with more lines of the section *log*."""
    config = folder / "relay.toml"
    config.write_text(
        f'[web]\nport = 0\n[log]\nfile = "relay.log"\n{log}\n[livesync]\npush = true\n'
        "[scheduler]\nworkers = 1\n"
    )
    options = ["--config", str(config), "--database", f"file://{folder}/data.fs"]
    command = [sys.executable, "-m", "daemon.cli.main", "start", *options]
    printed = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True
    )
    background = Background(folder, int(printed.stdout.split()[0]))
    try:
        yield background
    finally:
        transaction.abort()
        background.database.close()
        family = [background.process, *background.process.children(recursive=True)]
        background.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=200)
        for process in alive:
            process.kill()


@pytest.fixture
def background(tmp_path):
    with started(tmp_path) as background:
        yield background


def test_failures_of_tasks_and_workers_are_one_line_each(background, tmp_path):
    bad = background.enqueue(Bad(nowutc(), str(tmp_path / "never")))
    line = background.line(f"task {bad} (Bad) failed", "for good")
    assert line.endswith("ValueError: no luck")
    assert "ERROR" in line
    background.enqueue(Good(nowutc()))
    background.line("all is well")
    long = background.enqueue(Long(nowutc(), str(tmp_path / "go")))
    wait_for(lambda: background.workers(), what="the worker")
    wait_for(lambda: _is_at_work(background, long), what="the run")
    (worker,) = background.workers()
    worker.send_signal(signal.SIGKILL)
    background.line(f"task {long} (Long) failed on try 1 of 5", "the worker died")
    (tmp_path / "go").touch()


def test_a_dead_letter_is_a_line_with_its_agent_and_record(background):
    def register(connection):
        agent = RefusingAgent("refusing", "", "", 1)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.delivery_state.settings = agent.delivery_state.settings.__class__(tries=1)
        agent.setActive(True)

    def change(connection):
        manager = SyncManager.getDBInstance(connection)
        now = int(time.time())
        manager.add(now, ActionWrapper(now, manager, {"deleted"}, "101"))

    transact(background.database, register)
    transact(background.database, change)
    background.line("agent refusing: record", "is a dead letter", "too long")


def _is_at_work(background, tid):
    return transact(background.database, lambda own: Client(own).getTask(tid).getProgress())
