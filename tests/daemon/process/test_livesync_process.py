"""The process beside the daemon that delivers to agents at once."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
import transaction

from daemon.process.livesync_process import LivesyncProcess
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from scheduler.store import open_database, transact
from tests.rest import change
from tests.waiting import wait_for


@pytest.fixture
def database(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")

    def register(connection):
        agent = FolderAgent("folder", "", "", 1, folder=tmp_path / "feed")
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.setActive(True)

    transact(database, register)
    yield database
    transaction.abort()
    database.close()


@pytest.fixture
def following(database):
    following = LivesyncProcess(database.uri)
    yield following
    following.close()


def followers():
    """Return the processes that follow; tests before may have left helpers of Python's own."""
    children = psutil.Process(os.getpid()).children()
    return [child for child in children if "livesync.cli.main" in _command_of(child)]


def _command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def test_the_list_of_processes_does_not_show_its_database(database, following):
    (process,) = wait_for(followers)
    assert database.uri not in " ".join(process.cmdline())


def test_the_process_delivers_committed_changes_and_ends_with_the_daemon(
    database, following, tmp_path
):
    change(database)
    wait_for(lambda: list((tmp_path / "feed").glob("*.json")), what="the file of the change")
    following.close()
    assert followers() == []


def test_when_it_is_killed_another_one_is_started(database, following, tmp_path):
    (killed,) = wait_for(followers)
    killed.send_signal(signal.SIGKILL)
    wait_for(
        lambda: [child for child in followers() if child.pid != killed.pid], what="another one"
    )
    change(database)
    wait_for(lambda: list((tmp_path / "feed").glob("*.json")), what="the file of the change")


def test_a_signal_to_the_group_of_the_daemon_does_not_reach_it(following):
    (process,) = wait_for(followers)
    assert os.getpgid(process.pid) == process.pid
