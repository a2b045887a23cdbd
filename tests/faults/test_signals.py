"""A task that waits for a signal outlives its daemon, and so does the signal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import transaction

from scheduler import TASK_STATUS_QUEUED, Client
from scheduler.store import connect
from scheduler.tasks.handle import TaskHandle
from tests.faults.processes import Daemon
from tests.scheduler.sample_signals import approve
from tests.waiting import DEADLINE, wait_for


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
