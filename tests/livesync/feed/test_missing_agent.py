"""An agent whose code is not there is shown as missing, and holds up nobody.

Covers `livesync.delivery.status`.
"""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from livesync import PushSyncAgent, SyncManager
from livesync.delivery.push_agent import push_agent
from livesync.delivery.status import MISSING, statuses_of
from livesync.errors import AgentExecutionException, CutOffException
from livesync.feed.trimmer import trim
from livesync.tasks import LiveSyncUpdateTask
from livesync.track.retention_policy import DAY, TrackRetention
from scheduler.clock import nowutc
from scheduler.store import open_database, transact, using
from tests.livesync.agents_for_tests import ListAgent

MODULE = "installed_once"


@pytest.fixture
def code(monkeypatch):
    """Take the code of the agent away, or (True) put it back."""
    module = ModuleType(MODULE)
    module.Lost = type("Lost", (PushSyncAgent,), {"__module__": MODULE})

    def put(is_there):
        if is_there:
            monkeypatch.setitem(sys.modules, MODULE, module)
        else:
            monkeypatch.delitem(sys.modules, MODULE)

    put(True)
    return put


@pytest.fixture
def database(tmp_path, code):
    """A database with an agent whose class is missing, and another one."""
    path = f"file://{tmp_path}/data.fs"
    before = open_database(path)

    def plant(connection):
        manager = SyncManager.getDBInstance(connection)
        for agent in (sys.modules[MODULE].Lost("lost", "", "", 1), ListAgent("there", "", "", 1)):
            manager.registerNewAgent(agent)
            agent.setActive(True)
        manager.add(nowutc().timestamp() - DAY, "old")
        manager.add(nowutc().timestamp() - 1000, "new")

    transact(before, plant)
    before.close()
    code(False)
    database = open_database(path)
    yield database
    database.close()


def test_a_missing_agent_is_shown_with_the_remedy(manager):
    lost, there = statuses_of(manager)

    assert (lost.id, lost.state, lost.lag_records) == ("lost", MISSING, 2)
    assert "the class installed_once:Lost of agent 'lost' is missing" in lost.last_error
    assert there.state == "not run"


def test_an_agent_that_cannot_be_loaded_is_shown_and_holds_up_nobody(manager, commit, monkeypatch):
    class Unreadable(ListAgent):
        def __setstate__(self, state):
            raise ValueError("of another version")

    monkeypatch.setattr(sys.modules[__name__], "Unreadable", Unreadable, raising=False)
    Unreadable.__qualname__ = "Unreadable"
    manager.registerNewAgent(Unreadable("other", "", "", 1))
    commit()
    manager._p_jar.cacheMinimize()

    status = statuses_of(manager)[1]
    assert (status.id, status.state) == ("other", MISSING)
    assert "cannot be loaded (ValueError: of another version)" in status.last_error
    with using(manager._p_jar):
        assert LiveSyncUpdateTask(4).run() == {"there": "up to date: 2 records"}


def test_a_missing_agent_is_not_run(connection):
    with pytest.raises(AgentExecutionException, match="is missing: install what it is in"):
        push_agent(connection, "lost")


def test_agents_beside_a_missing_one_are_brought_up_to_date(connection, deliveries):
    with using(connection):
        assert LiveSyncUpdateTask(4).run() == {"there": "up to date: 2 records"}
    assert deliveries == {"there": [["new", "old"]]}


def test_a_missing_agent_can_be_removed(manager, commit):
    manager.removeAgent(manager.getAgent("lost"))
    commit()

    assert list(manager.getAllAgents()) == ["there"]
    assert list(manager.getTrack().getPointers()) == ["there"]


def test_all_agents_can_be_dropped(manager, commit):
    manager.reset()
    commit()

    assert not manager.getAllAgents()


def test_a_missing_agent_that_is_back_does_not_skip_trimmed_changes(database, code):
    transact(database, lambda own: advance(SyncManager.getDBInstance(own)))
    assert trim(database) == 2
    database.close()
    code(True)

    again = open_database(database.uri)
    with pytest.raises(CutOffException, match="'lost' was cut off: it stands at"):
        transact(again, lambda own: push_agent(own, "lost").claim(None))
    again.close()


def advance(manager):
    manager.retention = TrackRetention(keep=0, cut_off=DAY / 2, most=10)
    oldest = manager.getTrack().oldestTS()
    manager.advance("lost", oldest - 1)
    manager.advance("there", manager.getTrack().mostRecentTS())
