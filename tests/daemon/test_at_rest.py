"""A daemon with nothing to do writes nothing, on whatever database and with whatever waiting."""

from __future__ import annotations

import os

import pytest

from tests.rest import PLACES, SITUATIONS, resting

SECONDS = 5
SMALL = 1000
BEAT = "scheduler: beat"
STILL = SITUATIONS.keys() - {"with a stand-by", "TaskDelayed(0)", "agent's target is down"}


def is_beat(commit):
    return commit.what == BEAT


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
