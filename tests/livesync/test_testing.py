"""The pytest plugin's agent with a recorded target."""

from __future__ import annotations

from datetime import timedelta

import pytest
import transaction
from dateutil.rrule import SECONDLY

from livesync import ActionWrapper, SyncManager
from livesync.tasks import LiveSyncUpdateTask
from scheduler import nowutc
from tests.livesync.stand_ins import Category, Conference


@pytest.fixture
def record(relay):
    event = relay.connection.root()["event"] = Conference("1", Category("0"))

    def record_one(*actions):
        now = nowutc().timestamp()
        SyncManager.getDBInstance().add(now, ActionWrapper(int(now), event, actions, "1"))
        transaction.commit()

    return record_one


def test_the_recorded_agent_is_sent_committed_changes_once(record, recorded_agent):
    record("created")
    recorded_agent.push()
    recorded_agent.push()
    assert recorded_agent.sent == [("1", "CRT")]


def test_of_one_object_it_is_sent_one_record(record, recorded_agent):
    record("data_changed")
    record("deleted")
    recorded_agent.push()
    assert recorded_agent.sent == [("1", "MOD DEL")]


def test_an_update_task_runs_it(relay, record, recorded_agent):
    record("created")
    relay.clock.advance(timedelta(hours=1).total_seconds())
    relay.enqueue(LiveSyncUpdateTask(SECONDLY))
    relay.run_due()
    assert recorded_agent.sent == [("1", "CRT")]


def test_in_the_next_test_nothing_was_sent_yet(recorded_agent):
    assert recorded_agent.sent == []
