"""Agents that are brought up to date as soon as something is committed.

Covers `livesync.delivery.due`.
"""

from __future__ import annotations

import logging
import threading
import time

import pytest
import transaction

from livesync import ActionWrapper, PushSyncAgent, SyncManager
from livesync.delivery.dispatcher import DeliveryDispatcher
from scheduler.store import transact
from tests.waiting import DEADLINE, wait_for


class Sink(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        sent.extend(obj_id for _, obj_id, _ in data)
        return True


class Hanging(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        list(data)
        released.wait(DEADLINE)
        return True


class Failing(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        raise ConnectionError("nobody answers")


sent = []
released = threading.Event()


@pytest.fixture(autouse=True)
def nothing_sent():
    sent.clear()
    released.clear()


@pytest.fixture
def register(database):
    def register(kind, name, is_active=True):
        def work(connection):
            agent = kind(name, name, "", 1)
            SyncManager.getDBInstance(connection).registerNewAgent(agent)
            agent.setActive(is_active)

        transact(database, work)

    return register


@pytest.fixture
def fine(database):
    """Bins so small that what comes close together is delivered close together."""

    def work(connection):
        SyncManager.getDBInstance(connection)._granularity = 0.01

    transact(database, work)


@pytest.fixture
def following(database):
    follower = DeliveryDispatcher(database)
    thread = threading.Thread(target=follower.run)
    thread.start()
    yield follower
    follower.stop()
    released.set()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def change(database, name):
    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        now = int(time.time())
        manager.add(now, ActionWrapper(now, manager, {"data_changed"}, name))

    transact(database, work)


def test_committed_changes_are_delivered_at_once(database, register, fine, following):
    register(Sink, "a")
    for name in ("1", "2", "3"):
        change(database, name)
        wait_for(lambda name=name: name in sent)
    assert sent == ["1", "2", "3"]


def test_an_agent_that_hangs_or_fails_holds_up_no_other(database, register, fine, following):
    register(Hanging, "a")
    register(Failing, "b")
    register(Sink, "c")
    change(database, "1")
    wait_for(lambda: sent == ["1"])
    change(database, "2")
    wait_for(lambda: sent == ["1", "2"])


def test_each_failure_of_a_target_is_one_line_with_the_reason(
    database, register, fine, following, caplog
):
    register(Failing, "b")
    change(database, "1")
    wait_for(lambda: len(failures(caplog)) >= 2)

    assert set(failures(caplog)) == {"agent b failed: ConnectionError: nobody answers"}
    assert "Traceback" not in caplog.text


def failures(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def test_an_agent_that_the_track_was_trimmed_beyond_is_told_once_and_cut_off(
    database, register, fine, following, caplog
):
    register(Sink, "b")

    def trim(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.advance("b", 1)
        manager.getTrack().note_trimming(10)

    with database.transaction() as connection:
        SyncManager.getDBInstance(connection).getAgent("b").setActive(False)
    change(database, "1")
    transact(database, trim)
    with database.transaction() as connection:
        SyncManager.getDBInstance(connection).getAgent("b").setActive(True)
    wait_for(lambda: failures(caplog))
    register(Sink, "c")
    change(database, "2")
    wait_for(lambda: "2" in sent)

    (told,) = failures(caplog)
    assert told.startswith("agent b failed: CutOffException: agent 'b' was cut off")
    assert "Traceback" not in caplog.text
    with database.transaction() as connection:
        assert SyncManager.getDBInstance(connection).getAgent("b").cut_off is not None


def test_agents_that_are_not_active_are_left_alone(database, register, fine, following):
    register(Sink, "a", is_active=False)
    register(Sink, "b")
    change(database, "1")
    wait_for(lambda: sent)
    assert sent == ["1"]


def test_positions_do_not_run_ahead_of_the_clock(database, register, fine, following):
    register(Sink, "a")
    for number in range(40):
        change(database, str(number))
    wait_for(lambda: "39" in sent)
    with database.transaction() as connection:
        track = SyncManager.getDBInstance(connection).getTrack()
        assert track.mostRecentTS() * 0.01 <= time.time()


def test_the_dispatcher_ends_when_it_is_told_to(database):
    follower = DeliveryDispatcher(database)
    thread = threading.Thread(target=follower.run)
    thread.start()
    follower.stop()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    transaction.abort()
