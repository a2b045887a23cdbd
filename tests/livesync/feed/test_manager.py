"""SyncManager: recording, reading and resetting (reference 4.2).

Covers `livesync.errors`, `livesync.track.sequencer`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from persistent.mapping import PersistentMapping

from livesync import ActionWrapper, SyncManager
from livesync.agent import AgentExecutionException, QueryException
from livesync.struct import EmptyTrackException
from scheduler.errors import NoConnectionError
from tests.livesync.agents_for_tests import ListAgent
from tests.livesync.stand_ins import Category, Conference
from tests.scheduler.odd_tasks import damage


@pytest.fixture
def agent(manager, commit):
    agent = ListAgent("list", "List", "keeps what it is sent", 60)
    manager.registerNewAgent(agent)
    commit()
    return agent


def other_view(open_connection):
    return SyncManager.getDBInstance(open_connection())


def test_the_instance_of_a_database_is_always_the_same(connection, open_connection, manager):
    assert SyncManager.getDBInstance() is manager
    assert SyncManager.getDBInstance(connection) is manager
    assert SyncManager.getDBInstance(manager) is manager
    assert other_view(open_connection)._p_oid == manager._p_oid


def test_without_a_connection_there_is_no_instance():
    with pytest.raises(NoConnectionError):
        SyncManager.getDBInstance()


def test_a_bin_is_100_seconds_unless_told_otherwise():
    assert SyncManager().getGranularity() == 100
    assert SyncManager(5).getGranularity() == 5


def test_a_granularity_below_a_second_is_refused():
    with pytest.raises(ValueError, match="granularity"):
        SyncManager(0)


def test_a_manager_that_is_not_stored_works_in_memory():
    manager = SyncManager(granularity=1)
    manager.add(3, "x")

    assert list(manager.getTrack()) == [(3, "x")]


def test_an_addition_is_seen_in_its_own_transaction(manager):
    manager.add(250, "x")

    assert list(manager.getTrack()) == [(2, "x")]


def test_a_committed_addition_is_seen_with_no_daemon_running(manager, commit, open_connection):
    manager.add(250, "x")
    manager.add(301, 7)
    commit()

    assert list(other_view(open_connection).getTrack()) == [(3, 7), (2, "x")]
    assert list(manager.getTrack()) == [(3, 7), (2, "x")]


def test_an_aborted_addition_never_was(manager, connection):
    manager.add(250, "x")
    connection.transaction_manager.abort()

    assert list(manager.getTrack()) == []


def test_reading_in_a_transaction_with_changes_commits_nothing(
    manager, commit, connection, open_connection
):
    manager.add(250, "x")
    commit()
    connection.root()["mine"] = 1
    assert list(manager.getTrack()) == [(2, "x")]
    connection.transaction_manager.abort()

    assert "mine" not in connection.root()
    assert list(other_view(open_connection).getTrack()) == [(2, "x")]


def test_elements_that_cannot_be_compared_stop_nobody(manager, commit):
    for value in ("x", 7, None, "y", 8):
        manager.add(250, value)
    commit()

    assert list(manager.getTrack()) == [(4, None), (3, 7), (3, 8), (2, "x"), (2, "y")]


def test_a_query_says_on_whose_behalf_it_is_made(manager, agent):
    with pytest.raises(QueryException):
        manager.query()
    with pytest.raises(KeyError, match="nobody"):
        manager.query("nobody")


def test_a_query_reads_behind_the_pointer_up_to_its_end(manager, agent, commit):
    for second in (100, 200, 300, 400):
        manager.add(second, second)
    commit()
    manager.getTrack()
    manager.advance("list", 1)

    assert list(manager.query("list")) == [(4, 400), (3, 300), (2, 200)]
    assert list(manager.query("list", till=3)) == [(3, 300), (2, 200)]
    assert list(manager.query("list", till=-1)) == [(3, 300), (2, 200)]


def test_an_agent_advances_over_committed_changes_that_nobody_has_read(manager, agent, commit):
    manager.add(100, "first")
    commit()
    manager.advance("list", 1)
    assert list(manager.query("list")) == []
    manager.add(300, "second")
    manager.add(400, "third")
    commit()
    manager.advance("list", 3)
    assert list(manager.query("list")) == [(4, "third")]


def test_an_agent_does_not_advance_where_nothing_was_ever_recorded(manager, agent):
    with pytest.raises(EmptyTrackException):
        manager.advance("list", 1)


def test_a_query_for_all_but_the_newest_of_one_bin_has_nothing(manager, agent):
    assert list(manager.query("list", till=-1)) == []
    manager.add(100, 1)
    assert list(manager.query("list", till=-1)) == []
    assert manager.getTrack().frontier is None


def test_a_late_change_comes_behind_queried_ones(manager, agent, commit):
    manager.add(500, "early")
    commit()
    assert list(manager.query("list", till=5)) == [(5, "early")]
    manager.add(400, "late")
    commit()
    manager.advance("list", 5)
    commit()

    assert list(manager.query("list")) == [(6, "late")]


def test_an_agent_id_is_taken_once(manager, agent):
    with pytest.raises(Exception, match="remove the registered agent first"):
        manager.registerNewAgent(ListAgent("list", "Other", "", 60))

    assert manager.getAllAgents()["list"] is agent


def test_a_removed_agent_is_gone_with_its_pointer(manager, agent):
    manager.removeAgent(agent)

    assert manager.getAllAgents() == {}
    assert manager.getTrack().getPointers() == {}
    with pytest.raises(AgentExecutionException, match="registerNewAgent"):
        agent.run(100)


def test_a_reset_empties_track_and_agents(manager, agent, commit):
    manager.add(100, "x")
    manager.reset()
    commit()

    assert manager.getAllAgents() == {}
    assert manager.getTrack().is_empty()


def test_a_reset_of_the_track_keeps_agents_and_gives_them_pointers(manager, agent, commit):
    manager.add(100, "x")
    commit()
    manager.getTrack()
    manager.advance("list", 1)
    manager.reset(trackOnly=True)
    commit()

    assert manager.getTrack().is_empty()
    assert agent.getLastTS() is None
    manager.add(100, "y")
    commit()
    assert list(manager.query("list")) == [(1, "y")]


def test_a_reset_of_the_agents_keeps_the_track(manager, agent, commit):
    manager.add(100, "x")
    manager.reset(agentsOnly=True)
    commit()

    assert manager.getAllAgents() == {}
    assert list(manager.getTrack()) == [(1, "x")]
    assert manager.getTrack().getPointers() == {}


def test_a_pre_activated_agent_gets_what_is_recorded_from_then_on(manager, agent, commit):
    manager.add(500, "before")
    commit()
    agent.preActivate(5)
    commit()
    manager.add(510, "after, in the same bin")
    commit()

    assert agent.isRecording()
    assert not agent.isActive()
    assert [action for _, action in manager.query("list")] == ["after, in the same bin"]


def test_pre_activation_on_an_empty_track_leaves_the_pointer_before_everything(manager, agent):
    agent.preActivate(5)

    assert agent.isRecording()
    assert agent.getLastTS() is None
    assert agent.getLastDT() is None


def test_the_last_date_is_aware_and_utc(manager, agent, commit):
    manager.add(12970819_50, "x")
    manager.getTrack()
    manager.advance("list", 12970819)

    assert agent.getLastDT() == datetime.fromtimestamp(1297081900, UTC)
    assert agent.getLastDT().tzinfo is UTC


def test_position_0_has_a_date(manager, agent):
    manager.add(0, "x")
    manager.getTrack()
    manager.advance("list", 0)

    assert agent.getLastDT() == datetime.fromtimestamp(0, UTC)


def test_objects_in_an_excluded_category_or_below_are_excluded(manager):
    root = Category("0")
    excluded = Category("1", root)
    event = Conference("e", Category("2", excluded))
    manager.exclude(["1"])

    assert manager.objectExcluded(excluded)
    assert manager.objectExcluded(event)
    assert not manager.objectExcluded(root)
    assert not manager.objectExcluded(Conference("f", root))
    assert not manager.objectExcluded(Conference("no owner"))


def test_a_record_survives_the_removal_of_its_object(manager, commit, connection, database):
    connection.root()["event"] = event = Conference("7")
    commit()
    manager.add(100, ActionWrapper(100, event, ["data_changed"], "7"))
    del connection.root()["event"], event
    commit()
    database.pack()
    connection.cacheMinimize()
    connection.transaction_manager.begin()
    ((_, action),) = manager.getTrack()
    action = next(iter(manager.getTrack().values()[0]))

    assert action.getObjectId() == "7"
    assert action.kind == "event"


def test_a_page_of_recorded_changes_that_cannot_be_read_does_not_hold_up_the_others(
    manager, connection, commit, database, caplog
):
    connection.root()["other"] = PersistentMapping()
    manager.add(250, "lost")
    commit()
    (lane,) = filter(None, manager._lanes._register.values())
    other = connection.root()["other"]._p_oid
    damage(database, lane._pages[1]._p_oid, other, "cut to a byte")
    connection.transaction_manager.begin()
    manager.add(250, "kept")
    commit()

    assert [action for _, action in manager.getTrack()] == ["kept"]
    assert "indico_livesync agent ID verify --repair" in caplog.text
