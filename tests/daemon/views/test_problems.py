from __future__ import annotations

from datetime import timedelta

import pytest

from daemon.service import plant
from daemon.views.problems import READ, problems_of
from livesync import PushSyncAgent, SyncManager
from scheduler import TASK_STATUS_ABORTED, TASK_STATUS_FAILED, SchedulerModule, nowutc
from scheduler.inbox.quarantine import quarantine_of
from scheduler.store import transact
from scheduler.tasks import SampleOneShotTask
from scheduler.tasks.attempt import Attempt


@pytest.fixture
def look(database):
    """Change the database, and return the problems that there are then, without the first one."""

    def change(work=lambda connection: None, fault=""):
        transact(database, work)
        found = transact(database, lambda connection: problems_of(connection, fault))
        return [each for each in found if each.text != "No scheduler runs"]

    transact(database, plant)
    return change


def end(connection, state=TASK_STATUS_FAILED, ago=timedelta(0)):
    task, when = SampleOneShotTask(nowutc()), nowutc() - ago
    connection.add(task)
    task._record(Attempt(1, when, when, state, "no luck"))
    task._status = state
    SchedulerModule.getDBInstance(connection).shelve(task, when, state)


def test_all_is_well_with_nothing_to_do(look):
    assert look() == []


def test_a_fault_of_the_daemon_is_the_first_problem(look):
    def pause(connection):
        SchedulerModule.getDBInstance(connection).is_paused = True

    first, second = look(pause, "the database does not answer")
    assert (first.text, first.is_grave) == ("the database does not answer", True)
    assert second.text.startswith("The scheduler is paused")
    assert not second.is_grave


def test_without_a_scheduler_that_is_said(database):
    transact(database, plant)
    found = transact(database, problems_of)
    assert [each.text for each in found] == ["No scheduler runs"]


def test_tasks_that_failed_within_a_day_are_counted(look):
    def work(connection):
        end(connection, ago=timedelta(hours=2))
        end(connection)
        end(connection, TASK_STATUS_ABORTED)
        end(connection, ago=timedelta(hours=30))

    (found,) = look(work)
    assert found.text == "2 tasks have failed for good within a day"
    assert timedelta(hours=1) < nowutc() - found.since < timedelta(hours=3)


def test_of_many_failed_tasks_some_are_read(look):
    (found,) = look(lambda connection: [end(connection) for _ in range(READ + 1)])
    assert found.text.startswith(f"{READ} tasks or more have failed")


def test_tasks_in_quarantine_are_a_problem(look):
    def work(connection):
        task = SampleOneShotTask(nowutc())
        connection.add(task)
        quarantine_of(connection).add(task, "there is no module 'gone'")

    (found,) = look(work)
    assert found.text == "1 task has been put in quarantine: code cannot be loaded"


def test_an_agent_that_fails_is_a_problem_with_its_reason(look):
    def work(connection):
        agent = PushSyncAgent("a", "Agent", "", 1)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.preActivate(0)
        agent.setActive(True)
        agent.delivery_state.fail("the target is down", 0)

    (found,) = look(work)
    assert found.text == "Agent a is failing: the target is down"
    assert found.page == "/agents/a"
