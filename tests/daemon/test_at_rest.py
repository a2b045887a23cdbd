"""A daemon with nothing to do writes nothing, on whatever database and with whatever waiting."""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest

from scheduler import Client, nowutc
from scheduler.store import open_database, transact
from tests.faults.processes import Daemon
from tests.rest import PLACES, SITUATIONS, resting
from tests.scheduler.sample_tasks import Noop
from tests.waiting import wait_for

SECONDS = 5
SMALL = 1000
BEAT = "scheduler: beat"
STILL = SITUATIONS.keys() - {"with a stand-by", "TaskDelayed(0)", "agent's target is down"}


def is_beat(commit):
    return commit.what == BEAT


def finished(connection):
    return Client(connection).getStatus()["finished"]


@pytest.fixture
def server(request):
    """The PostgreSQL server, for those tests only that use one."""
    is_wanted = request.node.callspec.params["kind"] == "PostgreSQL"
    return request.getfixturevalue("postgres_server") if is_wanted else None


def assert_still(folder, kind, situation, port, server):
    with resting(folder, kind, situation, port=port, server=server) as rest:
        rest.settle()
        commits, _ = rest.measure(SECONDS)
        assert commits == []


@pytest.mark.parametrize("kind", PLACES)
def test_a_daemon_at_rest_commits_nothing(tmp_path, kind, free_port, server):
    assert_still(tmp_path, kind, "all of it", free_port, server)


@pytest.mark.soak
@pytest.mark.parametrize("kind", PLACES if "SOAK" in os.environ else ["embedded"])
@pytest.mark.parametrize(
    "situation", sorted(STILL) if "SOAK" in os.environ else ["paused scheduler"]
)
def test_a_daemon_at_rest_commits_nothing_in_any_situation(
    tmp_path, kind, situation, free_port, server
):
    assert_still(tmp_path, kind, situation, free_port, server)


@pytest.mark.parametrize("kind", ["PostgreSQL"])
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_daemon_at_rest_lets_the_server_remove_what_was_replaced(tmp_path, kind, mode, server):
    with PLACES[kind](tmp_path, None, server) as place:
        daemon = Daemon(tmp_path, place.uri, multitask_mode=mode, workers=2, push=True)
        try:
            daemon.wait_until_up()
            with closing(open_database(place.uri)) as database:
                for _ in range(5):
                    transact(database, lambda own: Client(own).enqueue(Noop(nowutc())))
                wait_for(lambda: transact(database, finished) == 5)
            wait_for(lambda: place.snapshots() == [])
            time.sleep(SECONDS)
            wait_for(lambda: place.snapshots() == [])
        finally:
            daemon.close()


@pytest.mark.parametrize("kind", ["ZEO"])
def test_a_leader_with_a_standby_only_beats_and_at_most_once_a_second(
    tmp_path, kind, free_port, server
):
    with resting(tmp_path, kind, "with a stand-by", port=free_port, server=server) as rest:
        rest.settle(is_beat)
        commits, _ = rest.measure(SECONDS)
        assert all(map(is_beat, commits))
        assert len(commits) <= SECONDS
        assert all(commit.size < SMALL for commit in commits)
