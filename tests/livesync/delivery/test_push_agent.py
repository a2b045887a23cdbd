"""PushSyncAgent, RecordUploader and the task that runs the agents (reference 4.3, 4.5, 4.6).

Covers `livesync.delivery.uploader`, `livesync.feed.agent`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from dateutil.rrule import MINUTELY

from export.fossilize import fossilize
from livesync import ActionWrapper
from livesync.agent import AgentExecutionException
from livesync.records.document import key_of
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED
from livesync.tasks import LiveSyncUpdateTask
from tests.livesync.agents_for_tests import (
    FailingAgent,
    ListAgent,
    ReducingAgent,
    SilentlyFailingAgent,
)
from tests.livesync.stand_ins import Conference

NOW = 100_000


@pytest.fixture(autouse=True)
def at_one_moment(clock):
    clock.now = datetime.fromtimestamp(NOW, UTC)


def sent(deliveries, aid="list"):
    return [record for batch in deliveries.get(aid, []) for record in batch]


def test_a_run_sends_the_complete_bins_newest_first(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    for second in (100, 200, 350, 399, 400):
        manager.add(second, second)
    commit()

    assert agent.run(450) is True
    assert sent(deliveries) == [350, 399, 200, 100]


def test_a_run_for_no_time_sends_everything(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    manager.add(100, 1)
    manager.add(10**9, 2)
    commit()
    agent.run(None)
    agent.acknowledge()

    assert sent(deliveries) == [2, 1]
    assert agent.getLastTS() == 10**7


def test_before_the_first_bin_is_complete_nothing_is_sent(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    manager.add(10, 1)
    manager.add(250, 2)
    commit()

    assert agent.run(99) is True
    assert deliveries == {}
    agent.run(100)
    agent.acknowledge()
    assert sent(deliveries) == [1]
    assert agent.getLastTS() == 0


def test_records_are_sent_again_until_they_are_acknowledged(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    manager.add(100, 1)
    commit()
    agent.run(NOW)
    agent.run(NOW)
    agent.acknowledge()
    commit()
    agent.run(NOW)

    assert sent(deliveries) == [1, 1]
    assert agent.getLastTS() == NOW // 100 - 1


def test_an_acknowledgement_covers_what_its_run_delivered_and_no_more(
    manager, register, commit, deliveries
):
    agent = register(ListAgent, "list")
    manager.add(100, "first")
    commit()
    agent.run(None)
    manager.add(100, "second")
    agent.acknowledge()
    commit()
    agent.run(None)

    assert sent(deliveries) == ["first", "second"]


def test_a_change_stamped_first_and_committed_last_is_delivered(
    manager, register, commit, deliveries, open_connection
):
    agent = register(ListAgent, "list")
    slow = open_connection()
    slow.get(manager._p_oid).add(1000, "stamped first")
    manager.add(1001, "stamped second")
    commit()
    agent.run(1200)
    agent.acknowledge()
    commit()
    slow.transaction_manager.commit()
    manager._p_jar.transaction_manager.begin()
    agent.run(1400)
    agent.acknowledge()
    commit()

    assert sent(deliveries) == ["stamped second", "stamped first"]


def test_an_agent_that_runs_late_gets_what_the_others_have_had(
    manager, register, commit, deliveries
):
    one, other = register(ListAgent, "one"), register(ListAgent, "other")
    for second in (100, 300):
        manager.add(second, second)
        commit()
        one.run(second + 100)
        one.acknowledge()
        commit()
    other.run(500)

    assert sent(deliveries, "one") == [100, 300]
    assert sent(deliveries, "other") == [300, 100]


def test_records_are_reduced_unless_the_agent_says_otherwise(
    manager, register, commit, connection, deliveries
):
    agent = register(ReducingAgent, "list")
    connection.root()["event"] = event = Conference("7")
    manager.add(100, ActionWrapper(100, event, ["data_changed"], "7"))
    manager.add(200, ActionWrapper(200, event, ["deleted"], "7"))
    commit()
    agent.run(NOW)

    assert sent(deliveries) == [(event, "7", STATUS_CHANGED | STATUS_DELETED)]


@pytest.fixture
def short_lived(manager, connection, commit):
    """An event that was made in bin 1 and deleted in bin 3."""
    connection.root()["event"] = event = Conference("7")
    manager.add(100, ActionWrapper(100, event, ["created"], "7"))
    commit()
    return event


def delete(event, manager, commit):
    manager.add(300, ActionWrapper(300, event, ["deleted"], "7"))
    commit()


def test_an_object_that_the_target_never_heard_of_is_not_deleted_there(
    manager, register, commit, deliveries, short_lived
):
    agent = register(ReducingAgent, "list")
    delete(short_lived, manager, commit)
    assert list(agent.preview()) == []
    agent.run(NOW)

    assert sent(deliveries) == []


def test_an_object_that_a_failed_run_may_have_sent_is_deleted(
    manager, register, commit, deliveries, short_lived
):
    agent = register(ReducingAgent, "list")
    agent.run(NOW)  # and nobody acknowledges it
    delete(short_lived, manager, commit)
    deliveries.clear()
    agent.run(None)

    assert sent(deliveries) == [(short_lived, "7", STATUS_CREATED | STATUS_DELETED)]


def test_an_object_exported_by_hand_before_the_agent_was_activated_is_deleted(
    manager, register, commit, deliveries, short_lived
):
    agent = register(ReducingAgent, "list")
    agent.preActivate(0)
    agent.setActive(True)
    commit()
    delete(short_lived, manager, commit)
    agent.run(None)

    assert sent(deliveries) == [(short_lived, "7", STATUS_CREATED | STATUS_DELETED)]


def test_a_record_that_is_sent_again_has_the_same_key_and_a_newer_one_another(
    manager, register, commit, deliveries, short_lived
):
    agent = register(ReducingAgent, "list")
    agent.run(NOW)
    agent.run(NOW)
    first, again = sent(deliveries)
    assert key_of(first) == key_of(again)
    assert key_of(first).startswith("7@1-")

    manager.add(300, ActionWrapper(300, short_lived, ["data_changed"], "7"))
    commit()
    agent.run(None)
    assert key_of(sent(deliveries)[-1]) not in {key_of(first), "7@None"}


@pytest.mark.parametrize("error", [OSError, ValueError, SystemExit])
def test_a_failed_run_returns_none_and_keeps_the_reason(
    manager, register, commit, error, monkeypatch
):
    monkeypatch.setattr(FailingAgent, "error", error)
    agent = register(FailingAgent, "failing")
    manager.add(100, 1)
    commit()

    assert agent.run(NOW) is None
    agent.acknowledge()
    assert agent.getLastTS() is None
    when, reason = agent.last_failure
    assert when == datetime.fromtimestamp(NOW, UTC)
    assert reason == f"{error.__name__}: the target is down"


def test_a_run_that_returns_nothing_has_failed(manager, register, commit):
    agent = register(SilentlyFailingAgent, "silent")
    manager.add(100, 1)
    commit()

    assert agent.run(NOW) is None
    agent.acknowledge()
    assert agent.getLastTS() is None


def test_a_run_on_an_empty_track_succeeds_and_moves_nothing(register):
    agent = register(ListAgent, "list")

    assert agent.run(NOW) is True
    agent.acknowledge()
    assert agent.getLastTS() is None


def test_an_acknowledgement_never_moves_back(manager, register, commit):
    agent = register(ListAgent, "list")
    manager.add(100, 1)
    commit()
    agent.run(NOW)
    manager.advance("list", NOW)
    agent.acknowledge()

    assert agent.getLastTS() == NOW


def test_an_agent_without_manager_says_how_to_get_one():
    with pytest.raises(AgentExecutionException, match="registerNewAgent"):
        ListAgent("list", "", "", 60).run(NOW)


def test_a_preview_moves_nothing(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    manager.add(100, 1)
    manager.add(300, 3)
    commit()

    assert list(agent.preview(2)) == [1]
    assert list(agent.preview()) == [3, 1]
    assert deliveries == {}
    assert agent.getLastTS() is None


def test_the_task_runs_active_agents_and_acknowledges(
    manager, register, commit, deliveries, connection
):
    agent, idle = register(ListAgent, "list"), register(ListAgent, "idle")
    idle.setActive(False)
    manager.add(100, 1)
    commit()
    LiveSyncUpdateTask(MINUTELY).run()
    connection.transaction_manager.begin()

    assert deliveries == {"list": [[1]]}
    assert agent.getLastTS() == NOW // 100 - 1
    assert idle.getLastTS() is None


def test_a_failing_agent_stops_no_other(manager, register, commit, deliveries, connection):
    failing, agent = register(FailingAgent, "a failing one"), register(ListAgent, "list")
    manager.add(100, 1)
    commit()
    LiveSyncUpdateTask(MINUTELY).run()
    connection.transaction_manager.begin()

    assert deliveries == {"list": [[1]]}
    assert agent.getLastTS() == NOW // 100 - 1
    assert failing.getLastTS() is None
    assert failing.last_failure[1] == "OSError: the target is down"


def test_the_task_delivers_to_an_agent_once_it_works_again(
    manager, register, commit, deliveries, connection
):
    agent = register(FailingAgent, "list")
    manager.add(100, 1)
    commit()
    LiveSyncUpdateTask(MINUTELY).run()
    connection.transaction_manager.begin()
    manager.removeAgent(agent)
    register(ListAgent, "list")
    LiveSyncUpdateTask(MINUTELY).run()
    LiveSyncUpdateTask(MINUTELY).run()

    assert deliveries == {"list": [[1]]}


def test_a_reader_who_goes_to_the_newest_holds_up_no_other_agent(
    manager, register, commit, deliveries
):
    register(ListAgent, "eager")
    register(ListAgent, "patient")
    for second in range(20):
        manager.add(second, second)
        commit()
        list(manager.query("eager"))
        commit()
    manager.getAgent("patient").run(500)

    assert sorted(sent(deliveries, "patient")) == list(range(20))


def test_after_a_reset_nothing_is_left_to_acknowledge(manager, register, commit, deliveries):
    agent = register(ListAgent, "list")
    manager.add(100, "before")
    commit()
    agent.run(1000)
    manager.reset(trackOnly=True)
    manager.add(100, "after")
    commit()
    agent.acknowledge()
    agent.run(1000)

    assert sent(deliveries)[-1] == "after"


def test_an_agent_can_be_shown_as_a_fossil(manager):
    agent = ListAgent("a", "A", "an agent", 60)
    manager.registerNewAgent(agent)

    assert fossilize(agent) == {
        "_type": "ListAgent",
        "_fossil": "agentFossil",
        "id": "a",
        "name": "A",
        "description": "an agent",
        "isActive": False,
        "lastTS": None,
        "lastDT": None,
    }
