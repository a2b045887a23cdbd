"""The whole feed: many processes record, others follow, and are killed: nothing is skipped."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from livesync.delivery.deliverer import Deliverer
from scheduler.store import open_database, transact
from tests.contention.feed_processes import plant

SOAK = bool(os.environ.get("SOAK"))
WRITERS, CHANGES, LONGEST, KILLS = (8, 100_000, 0.2, 20) if SOAK else (3, 300, 0.02, 1)
DEADLINE = 3000 if SOAK else 100

pytestmark = [pytest.mark.soak, pytest.mark.timeout(DEADLINE + 60)]


def spawn(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contention.feed_processes", *map(str, arguments)],
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def uri(any_uri):
    return any_uri


def test_each_agent_gets_every_change_in_one_order_whoever_is_killed(uri, tmp_path):
    database = open_database(uri)
    transact(database, lambda own: plant(own, tmp_path, WRITERS))
    database.close()
    # On an embedded database the follower is the one that serves it: with it that goes, too.
    follower = spawn("follow", uri)
    time.sleep(0.5)
    writers = [spawn("write", uri, n, CHANGES // WRITERS, LONGEST) for n in range(WRITERS)]
    deadline = time.monotonic() + DEADLINE
    kills = 0
    try:
        while any(writer.poll() is None for writer in writers):
            assert time.monotonic() < deadline, "the writers do not end"
            time.sleep(random.uniform(0.2, 1.0))
            if kills < KILLS:
                follower.send_signal(signal.SIGKILL)
                follower.wait()
                follower = spawn("follow", uri)
                kills += 1
    finally:
        for process in (follower, *writers):
            process.kill()
            process.wait()
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    deliver_the_rest(uri)

    one, two = (sent_to(tmp_path / name) for name in ("one", "two"))
    assert once(one) == once(two)
    assert once(one) == sorted(once(one))
    assert sorted(value for _, value in once(one)) == [
        f"{writer:02}-{number:06}"
        for writer in range(WRITERS)
        for number in range(CHANGES // WRITERS)
    ]
    for batches in (one, two):
        assert len(batches) - len({str(batch) for batch in batches}) <= kills


def deliver_the_rest(uri):
    database = open_database(uri)
    for name in ("one", "two"):
        assert Deliverer(database, name).deliver(None).outcome == "up to date"
    database.close()


def sent_to(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def once(batches):
    """Return what was sent, in order, without what was sent again after a kill."""
    return list(dict.fromkeys(tuple(item) for batch in batches for item in batch))
