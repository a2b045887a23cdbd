"""Money is moved by tasks while their processes are shot: none is lost, none is made."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack, closing

import psutil
import pytest

from scheduler import SchedulerModule
from scheduler.store import connect
from tests.faults.bank import ACCOUNTS, DEPOSIT, order_transfers, read_books
from tests.faults.processes import Daemon, serving
from tests.waiting import wait_for

SOAK = bool(os.environ.get("SOAK"))
TRANSFERS, KILLS, DEADLINE = (3000, 300, 600) if SOAK else (150, 6, 90)
SERVER_KILLS, LONGEST_OUTAGE = (40, 5.0) if SOAK else (2, 0.5)
# About as long as it takes to start: some are shot before they are up, others at work.
LONGEST_LIFE = 2.0


def shoot(daemon, draw):
    """Kill the daemon, one of its workers, or all of them, at a random moment."""
    time.sleep(draw.uniform(0, LONGEST_LIFE))
    workers = daemon.workers()
    victim = draw.choice(["daemon", "worker", "all"])
    if victim != "daemon":
        shot = workers if victim == "all" else draw.sample(workers, min(1, len(workers)))
        for worker in shot:
            kill(worker)
    if victim != "worker":
        daemon.kill()
        daemon.start()


def kill(worker):
    try:
        worker.kill()
    except psutil.NoSuchProcess:
        return


def status(uri):
    with connect(uri) as connection:
        return SchedulerModule.getDBInstance(connection).getStatus()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_transfer_is_made_once_whichever_process_is_shot(tmp_path):
    seed = random.randrange(10**9)
    print("seed", seed)
    draw = random.Random(seed)
    uri = f"file://{tmp_path}/bank.fs"
    expected = order_transfers(uri, TRANSFERS, KILLS * LONGEST_LIFE / 2, draw)

    with closing(Daemon(tmp_path, uri, sleep_interval=1)) as daemon:
        for _ in range(KILLS):
            shoot(daemon, draw)
        daemon.wait_until_up()
        wait_for(lambda: status(uri)["finished"] == TRANSFERS, DEADLINE)
        assert daemon.terminate() == 0

    check_books(uri, expected)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_while_its_zeo_server_is_shot_each_transfer_is_made_once(tmp_path, free_port, mode):
    draw = random.Random()
    server_uri = f"zeo://127.0.0.1:{free_port}"
    uri = f"{server_uri}?wait_timeout=60"  # of the test, which waits for a server to be up
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path / "bank.fs", free_port))
        expected = order_transfers(uri, TRANSFERS // 3, SERVER_KILLS * LONGEST_LIFE, draw)
        impatient = f"{server_uri}?wait_timeout=2"
        daemon = stack.enter_context(closing(Daemon(tmp_path, impatient, multitask_mode=mode)))
        daemon.wait_until_up()
        for _ in range(SERVER_KILLS):
            time.sleep(draw.uniform(0, LONGEST_LIFE))
            server.kill()
            server.wait()
            time.sleep(draw.choice([0, 0, 0, LONGEST_OUTAGE]))
            server = stack.enter_context(serving(tmp_path / "bank.fs", free_port))
        wait_for(lambda: status(uri)["finished"] == TRANSFERS // 3, DEADLINE)
        assert daemon.process.poll() is None
        assert daemon.terminate() == 0
        check_books(uri, expected)


def check_books(uri, expected):
    """Check that nothing is left to be done, and each transfer was made once."""
    left = {name: status(uri)[name] for name in ("waiting", "running", "spooled", "failed")}
    assert left == dict.fromkeys(left, 0)
    with connect(uri) as connection:
        balances, ledger = read_books(connection)
    assert ledger == dict.fromkeys(range(len(ledger)), 1)
    assert balances == expected
    assert sum(balances) == ACCOUNTS * DEPOSIT
