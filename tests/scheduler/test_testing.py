"""The pytest plugin: its database, its clock, `run_due`, and categories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import transaction

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
    Client,
    nowutc,
)
from scheduler.clock import TimeSource
from scheduler.tasks import BaseTask
from tests.scheduler.sample_misbehaving import SelfEnqueuing
from tests.scheduler.sample_tasks import Count, DelayOnce, FailTimes, Noop, Parent, Raise

pytest_plugins = ["pytester"]

HOUR = 3600


def test_due_tasks_are_run_and_returned_in_order(relay):
    late, early = Count(nowutc()), Count(nowutc() - timedelta(seconds=1))
    relay.enqueue(late, early)
    assert relay.run_due() == [early, late]
    assert relay.connection.root()["count"] == 2
    assert relay.client.getStatus()["finished"] == 2


def test_a_task_that_is_not_due_waits_for_the_clock(relay):
    task = Count(nowutc() + timedelta(seconds=HOUR))
    relay.enqueue(task)
    assert relay.run_due() == []
    relay.clock.advance(HOUR)
    assert relay.run_due() == [task]


def test_open_changes_are_committed_by_run_due(relay):
    Client().enqueue(Noop(nowutc()))
    assert len(relay.run_due()) == 1


def test_a_task_enqueued_in_an_aborted_transaction_is_not_run(relay):
    Client().enqueue(Noop(nowutc()))
    transaction.abort()
    assert relay.run_due() == []


def test_tasks_that_a_task_enqueues_are_run_too(relay):
    relay.enqueue(Parent(nowutc()))
    assert [type(task) for task in relay.run_due()] == [Parent, Count]


def test_a_retry_waits_for_the_clock(relay):
    task = FailTimes(nowutc(), 1)
    relay.enqueue(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_QUEUED
    assert relay.run_due() == []
    relay.clock.now = task.getDueOn()
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED


def test_a_delayed_task_waits_for_the_clock(relay):
    task = DelayOnce(nowutc())
    relay.enqueue(task)
    assert relay.run_due() == [task]
    relay.clock.advance(1)
    assert relay.run_due() == [task]
    assert relay.connection.root()["count"] == 1


def test_a_task_that_fails_for_good_is_on_the_shelf_with_its_error(relay):
    task = Raise(nowutc(), ValueError("no good"))
    relay.enqueue(task)
    for _ in range(5):
        relay.run_due()
        relay.clock.advance(HOUR)
    assert task.getStatus() == TASK_STATUS_FAILED
    assert task.getAttempts()[-1].message == "ValueError: no good"


def test_tasks_without_end_are_told_from_others(relay, monkeypatch):
    monkeypatch.setattr("scheduler.testing.ROUNDS", 50)
    relay.enqueue(SelfEnqueuing(nowutc()))
    with pytest.raises(RuntimeError, match="does one enqueue itself"):
        relay.run_due()


def test_the_clock_stands_still_until_it_is_moved(relay_clock):
    before = nowutc()
    assert nowutc() == before
    relay_clock.advance(0.5)
    TimeSource.get().sleep(0.5)
    assert nowutc() == before + timedelta(seconds=1)
    relay_clock.now = datetime(2031, 1, 1, tzinfo=UTC)
    assert nowutc().year == 2031


def test_a_clock_is_not_set_to_a_time_without_zone(relay_clock):
    with pytest.raises(ValueError, match="time zone"):
        relay_clock.now = datetime(2031, 1, 1)  # noqa: DTZ001


SUITE = """
import pytest
from scheduler import nowutc
from scheduler.clock import TimeSource

REAL = TimeSource.get()

def test_with_a_clock(relay_clock):
    assert TimeSource.get() is relay_clock

def test_the_clock_is_put_back():
    assert TimeSource.get() is REAL

def test_in_a_fresh_database(relay):
    relay.connection.root()["here"] = True
    relay.run_due()

def test_in_another_database(relay):
    assert "here" not in relay.connection.root()
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nrelay_categories = ["slow: slow", "quick: quick"]\n'
        'addopts = "--strict-markers"\n'
    )
    for folder in ("slow", "quick"):
        (pytester.mkpydir(folder) / f"test_{folder}.py").write_text("def test_one(): assert True\n")
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def test_each_test_has_its_own_database_and_leaves_the_clock_alone(suite):
    suite.runpytest_subprocess("test_suite.py").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("selection", "passed"), [("relay", 2), ("not relay", 4), ("slow", 1), ("slow or quick", 2)]
)
def test_categories_are_selected_by_name(suite, selection, passed):
    suite.runpytest_subprocess("-m", selection).assert_outcomes(
        passed=passed, deselected=6 - passed
    )


def test_a_category_without_folder_is_refused(pytester):
    pytester.makeini("[pytest]\nrelay_categories = slow\n")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*relay_categories has 'slow'; it must be 'name: folder'"])


def test_tasks_returned_are_those_of_the_tests_connection(relay):
    relay.enqueue(Noop(nowutc()))
    (task,) = relay.run_due()
    assert isinstance(task, BaseTask)
    assert task._p_jar is relay.connection
