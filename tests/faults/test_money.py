"""Money is moved by tasks while their processes are shot: none is lost, none is made."""

from __future__ import annotations

import os
import random
import time
from contextlib import closing

import psutil
import pytest

from scheduler import SchedulerModule
from scheduler.store import connect
from tests.faults.bank import ACCOUNTS, DEPOSIT, order_transfers, read_books
from tests.faults.processes import Daemon
from tests.scheduler.harness import wait_for

TRANSFERS, KILLS, DEADLINE = (3000, 300, 600) if os.environ.get("SOAK") else (150, 6, 90)
# As often a daemon, when it is shot, must come up anew as that it gets to work.
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
def test_whoever_is_shot_each_transfer_is_made_once(tmp_path):
    seed = random.randrange(10**9)
    print("seed", seed)  # noqa: T201 (shown when the test fails)
    draw = random.Random(seed)
    uri = f"file://{tmp_path}/bank.fs"
    expected = order_transfers(uri, TRANSFERS, KILLS * LONGEST_LIFE / 2, draw)

    with closing(Daemon(tmp_path, uri, sleep_interval=1)) as daemon:
        for _ in range(KILLS):
            shoot(daemon, draw)
        wait_for(lambda: status(uri)["finished"] == TRANSFERS, DEADLINE)
        assert daemon.terminate() == 0

    left = {name: status(uri)[name] for name in ("waiting", "running", "spooled", "failed")}
    assert left == dict.fromkeys(left, 0)
    with connect(uri) as connection:
        balances, ledger = read_books(connection)
    assert ledger == dict.fromkeys(range(TRANSFERS), 1)
    assert balances == expected
    assert sum(balances) == ACCOUNTS * DEPOSIT
