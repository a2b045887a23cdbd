"""`indico_livesync list --follow`: changes are printed as they come."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from livesync import ActionWrapper, SyncManager
from livesync.feed.subscription import Subscription
from scheduler.store import transact
from scheduler.store.position import is_token
from tests.waiting import DEADLINE


def record(database, *seconds):
    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        for second in seconds:
            manager.add(second, ActionWrapper(second, None, {"data_changed"}, f"at {second}"))

    transact(database, work)


@pytest.fixture
def tail(connection):
    tail = Subscription(connection, None)
    yield tail
    tail.close()


def seen(tail):
    tail._connection.transaction_manager.begin()
    return [action.getObjectId() for _, action in tail.changes()]


def test_each_change_is_seen_once_wherever_it_is_put(database, manager, tail):
    record(database, 300, 100)
    assert seen(tail) == ["at 100", "at 300"]
    record(database, 310, 110)
    assert seen(tail) == ["at 110", "at 310"]
    assert seen(tail) == []


def test_bins_that_are_closed_are_not_looked_at_again(database, manager, tail):
    record(database, 300)
    seen(tail)
    transact(database, lambda own: SyncManager.getDBInstance(own).claim())
    assert seen(tail) == []
    assert tail._seen == set()
    record(database, 300)

    assert seen(tail) == ["at 300"]


def test_earlier_changes_can_be_passed_over(database, manager, tail):
    record(database, 300)
    tail._connection.transaction_manager.begin()
    tail.pass_over()
    record(database, 301)

    assert seen(tail) == ["at 301"]


def test_the_command_prints_what_comes_until_it_is_interrupted(database, manager, tmp_path):
    record(database, 100)
    command = [
        sys.executable,
        "-m",
        "livesync.cli.main",
        "list",
        "--from",
        "0",
        "--follow",
        "--json",
    ]
    with subprocess.Popen(
        [*command, "--database", f"file://{tmp_path}/data.fs"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert json.loads(process.stdout.readline())["id"] == "at 100"
        for second in (200, 300):
            record(database, second)
            told = json.loads(process.stdout.readline())
            assert len(told.pop("transaction")) == 16
            assert is_token(told.pop("token"))
            assert told == {
                "position": second // 100,
                "timestamp": second,
                "id": f"at {second}",
                "kind": "nothing",
                "actions": ["data_changed"],
            }
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
