"""A backup that is put back is noticed: targets know of more than the database does."""

from __future__ import annotations

import shutil

import pytest

from livesync import ActionWrapper, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.agents.postgres import PostgresAgent
from livesync.delivery.deliverer import FAILED, Deliverer
from livesync.resync.full_export import FullExport
from livesync.resync.verification import Verification
from scheduler.store import open_database, transact


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def opened(folder):
    return open_database(f"file://{folder}/relay.fs")


@pytest.fixture(params=["folder", "postgres"])
def agent(request, folder, tmp_path, postgres_uri):
    if request.param == "folder":
        return FolderAgent("a", "", "", 1, folder=tmp_path / "feed")
    return PostgresAgent("a", "", "", 1, dsn=postgres_uri, table=f"t{abs(hash(tmp_path))}")


def change(database, name, when):
    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.add(when, ActionWrapper(when, manager, {"deleted"}, name))

    transact(database, work)


@pytest.fixture
def restored(agent, folder):
    """A database that was put back to where it was before its last delivery."""
    database = opened(folder)
    transact(database, lambda own: SyncManager.getDBInstance(own).registerNewAgent(agent))
    change(database, "1", 100)
    assert Deliverer(database, "a").deliver(None).outcome != FAILED
    database.close()
    shutil.copytree(folder, folder.with_name("backup"))
    database = opened(folder)
    change(database, "2", 900)
    assert Deliverer(database, "a").deliver(None).outcome != FAILED
    database.close()
    shutil.rmtree(folder)
    folder.with_name("backup").rename(folder)
    database = opened(folder)
    yield database
    database.close()


def test_an_agent_whose_target_is_ahead_delivers_nothing_and_says_why(restored):
    change(restored, "3", 200)
    delivered = Deliverer(restored, "a").deliver(None)
    assert delivered.outcome == FAILED
    assert "an older backup" in delivered.reason
    with restored.transaction() as connection:
        _, reason = SyncManager.getDBInstance(connection).getAgent("a").last_failure
        assert "an older backup" in reason


def test_after_a_verification_that_repaired_it_goes_on_without_a_rest(restored):
    Deliverer(restored, "a").deliver(None)
    Verification(restored, "a").run(repair=True)
    with restored.transaction() as connection:
        state = SyncManager.getDBInstance(connection).getAgent("a").delivery_state
        assert (state.failures, state.not_before) == (0, 0)
    change(restored, "3", 200)
    assert str(Deliverer(restored, "a").deliver(None)) == "up to date: 1 records"


def test_after_a_snapshot_it_goes_on(restored):
    FullExport(restored, "a").send()
    change(restored, "3", 200)
    assert str(Deliverer(restored, "a").deliver(None)) == "up to date: 1 records"


def test_an_agent_that_was_rewound_is_not_ahead(agent, folder):
    database = opened(folder)
    transact(database, lambda own: SyncManager.getDBInstance(own).registerNewAgent(agent))
    change(database, "1", 100)
    Deliverer(database, "a").deliver(None)
    transact(database, lambda own: SyncManager.getDBInstance(own).getAgent("a").rewind(None))
    assert str(Deliverer(database, "a").deliver(None)) == "up to date: 1 records"
    database.close()
