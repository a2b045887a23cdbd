"""The update task inside a running scheduler."""

from __future__ import annotations

import threading
import time

from dateutil.rrule import MINUTELY, SECONDLY

from livesync import ActionWrapper, SyncManager
from livesync.tasks import LiveSyncUpdateTask
from scheduler import Client, Scheduler
from scheduler.insight.dry_run import try_out
from scheduler.store import transact
from tests.livesync.agents_for_tests import FailingAgent, ListAgent, received
from tests.waiting import DEADLINE, wait_for


def test_a_scheduler_keeps_the_agents_up_to_date(database):
    def install(connection):
        manager = SyncManager.getDBInstance(connection)
        for agent in (ListAgent("list", "List", "", 60), FailingAgent("failing", "", "", 60)):
            agent.setActive(True)
            manager.registerNewAgent(agent)
        Client(connection).enqueue(LiveSyncUpdateTask(SECONDLY))

    def record(connection):
        SyncManager.getDBInstance(connection).add(time.time() - 200, "a change")

    transact(database, install)
    scheduler = Scheduler(database=database, multitask_mode="threads", sleep_interval=0.1)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    transact(database, record)
    wait_for(lambda: received)
    transact(database, lambda connection: Client(connection).shutdown())
    thread.join(DEADLINE)

    assert not thread.is_alive()
    assert received == {"list": [["a change"]]}


def test_a_dry_run_of_an_update_tells_its_records_and_sends_none(relay, recorded_agent):
    manager = SyncManager.getDBInstance()
    manager.add(1, ActionWrapper(1, manager, {"data_changed"}, "1"))
    task = LiveSyncUpdateTask(MINUTELY)
    relay.enqueue(task)
    tried = try_out(relay.database, task.getId())
    assert tried.held == [("records", "1 to agent recorded")]
    assert recorded_agent.sent == []
    assert manager.getAgent("recorded").getLastTS() is None
