"""A daemon that is told to end by a signal: in peace, within its time, or at once."""

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
from scheduler.store import connect
from tests.faults.bank import order_transfers
from tests.faults.processes import Daemon
from tests.faults.test_money import check_books, status
from tests.scheduler.harness import wait_for
from tests.scheduler.sample_long import Wait

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

    def start_one(**settings):
        with connect(uri) as connection:
            Client(connection).enqueue(Wait(nowutc(), str(go)))
            transaction.commit()
        daemons.append(Daemon(tmp_path, uri, sleep_interval=1, **settings))
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
    assert daemon.process.wait(30) == 0
    assert (count(uri), status(uri)["finished"]) == (1, 1)


def test_what_takes_longer_than_its_time_waits_for_the_next_start(start, uri, go):
    daemon = start(shutdown_timeout=0.5)
    assert daemon.terminate() == 0
    assert (count(uri), status(uri)["waiting"]) == (0, 1)
    go.touch()
    daemon.start()
    daemon.wait_until_up()  # before that, whoever looks holds its start up
    wait_for(lambda: status(uri)["finished"] == 1)
    assert count(uri) == 1


def test_told_so_twice_it_ends_at_once_and_the_task_is_run_by_the_next(start, uri, go):
    daemon = start()
    workers = daemon.workers()
    daemon.process.terminate()
    wait_for(lambda: "stopping" in daemon.text())
    time.sleep(1)  # its workers have been told as well
    daemon.process.terminate()
    assert daemon.process.wait(30) == -signal.SIGTERM
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    go.touch()
    daemon.start()
    daemon.wait_until_up()  # before that, whoever looks holds its start up
    wait_for(lambda: status(uri)["finished"] == 1)
    assert count(uri) == 1


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
