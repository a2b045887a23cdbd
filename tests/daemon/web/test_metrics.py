"""The numbers for Prometheus."""

from __future__ import annotations

import re

from daemon.service import plant
from daemon.web.metrics import Metrics
from livesync import ActionWrapper, PushSyncAgent, SyncManager
from scheduler import Client, SchedulerModule, nowutc
from scheduler.store import transact, using
from scheduler.tasks import SampleOneShotTask
from scheduler.values.rate_limit import Limit
from tests.scheduler.sample_declared import bare

SAMPLE = re.compile(r'(\w+)(\{\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*\})? (\S+)')


def samples(text):
    """The numbers by their names and labels; whatever is no line of metrics fails."""
    found = {}
    for line in text.splitlines():
        if not re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (gauge|counter|histogram))", line):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            found[name + (labels or "")] = float(value)
    return found


def test_queues_and_agents_are_told_in_numbers(database):
    def fill(connection):
        Client(connection).enqueue(SampleOneShotTask(nowutc()))
        SchedulerModule.getDBInstance(connection).backlog.limit("mail", Limit(2))
        manager = SyncManager.getDBInstance(connection)
        agent = PushSyncAgent("a", "A", "", 1)
        manager.registerNewAgent(agent)
        agent.preActivate(0)
        agent.setActive(True)
        manager.add(100_000, ActionWrapper(100_000, None, ["created"], "1"))

    transact(database, plant)
    transact(database, fill)
    transact(database, lambda connection: SyncManager.getDBInstance(connection).sequence())
    found = samples(Metrics(database).text())
    assert found["relay_scheduler_running"] == 0
    assert found['relay_tasks{state="spooled"}'] == 1
    assert found['relay_queue_tasks{queue="mail",state="waiting"}'] == 0
    assert found['relay_queue_tasks{queue="mail",state="running"}'] == 0
    assert found['relay_agent_state{agent="a",state="not run"}'] == 1
    assert found['relay_agent_lag_changes{agent="a"}'] == 1
    assert found['relay_agent_lag_seconds{agent="a"}'] > 0
    assert found['relay_agent_delivered_records_total{agent="a"}'] == 0
    assert found["relay_database_bytes"] >= 0


def test_running_tasks_are_counted_by_class_and_by_function(database):
    def run(connection):
        with using(connection):
            tasks = [SampleOneShotTask(nowutc()), bare.enqueue(1), bare.enqueue(2)]
        for task in tasks:
            Client(connection).enqueue(task)
            SchedulerModule.getDBInstance(connection).running.add(task, 0)

    transact(database, plant)
    transact(database, run)
    found = samples(Metrics(database).text())
    assert found['relay_running_tasks{task="tests.scheduler.sample_declared.bare"}'] == 2
    assert found['relay_running_tasks{task="scheduler.tasks.samples.SampleOneShotTask"}'] == 1


def test_a_strange_name_is_one_label(database):
    transact(database, plant)

    def register(connection):
        SyncManager.getDBInstance(connection).registerNewAgent(PushSyncAgent('a"b\\c', "A", "", 1))

    transact(database, register)
    found = samples(Metrics(database).text())
    assert found[r'relay_agent_lag_changes{agent="a\"b\\c"}'] == 0


def test_numbers_are_read_and_nothing_is_written(database):
    transact(database, plant)
    before = database.lastTransaction()
    Metrics(database).text()
    assert database.lastTransaction() == before
