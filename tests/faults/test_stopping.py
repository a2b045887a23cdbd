"""A daemon that is told to end by a signal: in peace, within its time, or at once.

Covers `scheduler.dispatch.shutdown`, `scheduler.runtime.stop_signals`,
`daemon.process.stop_event`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import transaction

from scheduler import Client, nowutc
from scheduler.runtime.stop_signals import ECHO_SECONDS
from scheduler.store import connect
from tests.faults.bank import order_transfers
from tests.faults.processes import Daemon, serving
from tests.faults.test_money import check_books, status
from tests.scheduler.sample_long import Wait
from tests.waiting import DEADLINE, wait_for

TRANSFERS, DEPLOYS = (1000, 30) if os.environ.get("SOAK") else (20, 1)


@pytest.fixture
def uri(tmp_path):
    return f"file://{tmp_path}/data.fs"


@pytest.fixture
def go(tmp_path):
    """The file for which the tasks of these tests wait."""
    return tmp_path / "go"


@pytest.fixture
def start(tmp_path, uri, go):
    """Start a daemon that has begun a task which waits for *go*."""
    daemons = []

    def start_one(where=uri, tries=None, **settings):
        with connect(where) as connection:
            task = Wait(nowutc(), str(go))
            task.maxTries = tries
            Client(connection).enqueue(task)
            transaction.commit()
        daemons.append(Daemon(tmp_path, where, sleep_interval=1, **settings))
        daemons[0].wait_until_up()
        wait_for(lambda: Path(f"{go}.begun").exists())
        return daemons[0]

    yield start_one
    for daemon in daemons:
        daemon.close()


def count(uri):
    with connect(uri) as connection:
        return connection.root().get("count", 0)


def test_told_to_end_it_lets_the_task_end(start, uri, go):
    daemon = start()
    daemon.process.terminate()
    wait_for(lambda: "stopping" in daemon.text())
    assert daemon.process.poll() is None
    go.touch()
    assert daemon.process.wait(DEADLINE) == 0
    assert (count(uri), status(uri)["finished"]) == (1, 1)


def check_that_the_next_runs_it(daemon, uri, go):
    go.touch()
    daemon.start()
    daemon.wait_until_up()  # before that, whoever looks holds its start up
    wait_for(lambda: status(uri)["finished"] == 1)
    assert count(uri) == 1


def test_a_task_that_takes_longer_than_its_time_waits_for_the_next_start(start, uri, go):
    daemon = start(shutdown_timeout=0.5)
    assert daemon.terminate() == 0
    assert (count(uri), status(uri)["waiting"]) == (0, 1)
    check_that_the_next_runs_it(daemon, uri, go)


def test_told_so_twice_it_ends_at_once_and_the_task_is_run_by_the_next(start, uri, go):
    daemon = start()
    workers = daemon.workers()
    daemon.process.terminate()
    wait_for(lambda: "stopping" in daemon.text())
    time.sleep(2 * ECHO_SECONDS)  # what comes sooner is taken for the first signal again
    daemon.process.terminate()
    assert daemon.process.wait(DEADLINE) == -signal.SIGTERM
    assert psutil.wait_procs(workers, timeout=200)[1] == []
    check_that_the_next_runs_it(daemon, uri, go)


def test_told_so_twice_at_the_same_moment_it_lets_the_task_end(start, uri, go):
    daemon = start(tries=1)
    daemon.process.terminate()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.process.terminate()
    check_that_the_task_ends(daemon, uri, go)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_group_lets_the_task_end(start, uri, go, number):
    daemon = start(tries=1)
    os.killpg(daemon.process.pid, number)
    check_that_the_task_ends(daemon, uri, go)


def test_a_signal_to_each_process_of_the_service_lets_the_task_end(start, uri, go):
    daemon = start(tries=1)
    for process in daemon.family():
        process.terminate()
    check_that_the_task_ends(daemon, uri, go)


def test_a_signal_to_each_process_of_the_service_lets_the_task_end_over_zeo(
    tmp_path, free_port, start, go
):
    with serving(tmp_path / "zeo.fs", free_port):
        uri = f"zeo://127.0.0.1:{free_port}?wait_timeout=10"
        daemon = start(uri, tries=1)
        for process in daemon.family():
            process.terminate()
        check_that_the_task_ends(daemon, uri, go)


def test_a_hangup_that_was_to_be_ignored_does_not_end_the_daemon(start, uri, go):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        daemon = start()
    finally:
        signal.signal(signal.SIGHUP, before)
    daemon.process.send_signal(signal.SIGHUP)
    go.touch()
    wait_for(lambda: status(uri)["finished"] == 1)
    assert daemon.process.poll() is None
    assert daemon.terminate() == 0


def check_that_the_task_ends(daemon, uri, go):
    """Check that it goes on, though it may be tried only once, and that the daemon ends then."""
    wait_for(lambda: "stopping" in daemon.text())
    assert daemon.process.poll() is None
    go.touch()
    assert daemon.process.wait(DEADLINE) == 0
    assert (count(uri), status(uri)["finished"], status(uri)["failed"]) == (1, 1, 0)
    assert " ERROR " not in daemon.text()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_deploys_neither_lose_nor_double_a_task(tmp_path, uri):
    draw = random.Random()
    expected = order_transfers(uri, TRANSFERS, 1.5 * DEPLOYS, draw)
    with closing(Daemon(tmp_path, uri, shutdown_timeout=5)) as daemon:
        for _ in range(DEPLOYS):
            daemon.wait_until_up()
            time.sleep(draw.uniform(0, 0.5))
            assert daemon.terminate() == 0
            daemon.start()
        daemon.wait_until_up()
        wait_for(lambda: status(uri)["finished"] == TRANSFERS)
        assert daemon.terminate() == 0
    check_books(uri, expected)
