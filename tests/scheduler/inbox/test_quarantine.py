"""The quarantine: what cannot be read or queued is retried, moved and deleted.

Covers `scheduler.dispatch.quarantine_release`, `scheduler.dispatch.steps`.
"""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    SchedulerModule,
    TaskDelayed,
    nowutc,
)
from scheduler.clock import LATEST, moment
from scheduler.inbox.quarantine import Quarantine
from scheduler.inbox.spool import ADD
from scheduler.store import open_database
from scheduler.tasks import CronTask, IntervalTask, OneShotTask
from scheduler.tasks.retry import Retry
from tests.scheduler.harness import View, output_of, running
from tests.scheduler.odd_tasks import PASSING, passing_values
from tests.scheduler.sample_recurring import Tick
from tests.scheduler.sample_tasks import Count, Noop
from tests.waiting import wait_for

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])
TOMORROW = timedelta(days=1)

MODULE = """
from enum import Enum
from scheduler.tasks import OneShotTask

class Color(Enum):
    RED = 1
    BLUE = 2

class Paint(OneShotTask):
    def run(self):
        pass
"""
ENQUEUE = """
import sys, transaction
sys.path.insert(0, sys.argv[2])
from scheduler import Client, nowutc
from scheduler.store import connect
import paint
with connect(sys.argv[1]) as connection:
    for _ in range(3):
        task = paint.Paint(nowutc())
        task.color = paint.Color.BLUE
        Client(connection).enqueue(task)
    transaction.commit()
"""


class Late(OneShotTask):
    """Puts itself off by as many seconds as it is told."""

    def __init__(self, start, seconds):
        super().__init__(start)
        self.seconds = seconds

    def run(self):
        raise TaskDelayed(self.seconds)


class Patient(OneShotTask):
    """Fails, and is tried again after a wait without end."""

    retries: ClassVar = {ValueError: Retry(first=1e300, factor=1e300, longest=math.inf)}
    maxTries = 100

    def run(self):
        raise ValueError("as told")


@pytest.fixture
def aside(view, database):
    """A task with a date that is none, in quarantine."""
    task = Count(nowutc())
    view.client.enqueue(task)
    task._start_on = math.nan
    view.commit()
    with running(database):
        view.until_counts(failed=1)
    return task


def reasons(view):
    return [each.reason for each in SchedulerModule.getDBInstance(view.connection).aside()]


@both_modes
def test_an_enumeration_that_loses_a_member_stops_nobody(tmp_path, mode, monkeypatch):
    uri = f"file://{tmp_path}/data.fs"
    (tmp_path / "paint.py").write_text(MODULE)
    output_of(ENQUEUE, uri, tmp_path)
    (tmp_path / "paint.py").write_text(MODULE.replace("BLUE = 2", "GREEN = 3"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "paint", raising=False)
    database = open_database(uri)
    view = View(database)
    with running(database, multitask_mode=mode):
        view.enqueue(Count(nowutc()))
        view.until_counts(failed=3, finished=1)
        assert reasons(view) == ["ValueError: 2 is not a valid Color"] * 3
    with running(database, multitask_mode=mode):
        view.enqueue(Count(nowutc()))
        view.until_counts(failed=3, finished=2)
        # It can be read now, but not be stored.
        kind = type("Color", (), {"__new__": lambda cls, _: object.__new__(cls)})
        monkeypatch.setattr(sys.modules["paint"], "Color", kind)
        tasks = [each.obj for each in SchedulerModule.getDBInstance(view.connection).aside()]
        view.client.dequeue(tasks[0])
        view.commit()
        view.until_counts(failed=2, finished=2)
    view.close()
    database.close()


def test_tasks_without_a_class_at_one_moment_stop_nobody(tmp_path, view, database):
    passing_values(True)
    kind = type("Gone", (OneShotTask,), {"__module__": PASSING, "run": lambda _: None})
    sys.modules[PASSING].Gone = kind
    start = nowutc() + timedelta(seconds=1)
    for _ in range(60):
        view.client.enqueue(kind(start))
    view.enqueue(*(Count(start) for _ in range(3)))
    with running(database, multitask_mode="threads"):
        view.until(lambda: view.counts().get("waiting") == 63 or view.counts().get("finished"))
    view.close()
    passing_values(False)
    del kind
    uri = database.uri
    database.close()
    database = open_database(uri)
    view = View(database)
    with running(database):
        view.until(lambda: view.counts().get("finished", 0) >= 3)
        view.until(lambda: not view.counts().get("waiting"))
    assert view.root["count"] == 3
    view.close()
    database.close()
    sys.modules.pop(PASSING)


def test_a_task_in_quarantine_has_failed_and_says_why(view, aside):
    assert aside.getStatus() == TASK_STATUS_FAILED
    assert reasons(view) == ["ValueError: Invalid value NaN (not a number)"]


def test_a_task_in_quarantine_is_due_at_once_when_it_is_started_again(view, database, aside):
    view.client.startFailedTask(aside)
    view.commit()
    with running(database):
        view.until_counts(finished=1)
    assert aside.getStatus() == TASK_STATUS_FINISHED


def test_a_task_in_quarantine_can_be_enqueued_again_once_it_is_sound(view, database, aside):
    aside._start_on = nowutc().timestamp()
    view.enqueue(aside)
    with running(database):
        view.until_counts(finished=1)
    assert view.root["count"] == 1


def test_a_task_in_quarantine_is_moved(view, database, aside):
    view.client.moveTask(aside, nowutc() + TOMORROW)
    view.commit()
    with running(database):
        view.until_counts(waiting=1)
    assert aside.getStatus() == TASK_STATUS_QUEUED


def test_a_task_in_quarantine_is_deleted(view, database, aside):
    view.client.dequeue(aside)
    view.commit()
    with running(database):
        view.until_counts()
    assert aside.getStatus() == TASK_STATUS_NONE


def test_tasks_set_aside_by_an_earlier_release_are_in_quarantine(view, database):
    task = view.enqueue(Noop(nowutc()))
    module = SchedulerModule.getDBInstance(view.connection)
    entries = {task._p_oid: (task, "ImportError: gone", 1.0)}
    module._aside = entries
    branches = view.root["relay"]
    branches["scheduler"] = (1, module)
    view.commit()
    assert [each.reason for each in SchedulerModule.getDBInstance(view.connection).aside()] == [
        "ImportError: gone"
    ]
    assert isinstance(module.quarantine, Quarantine)
    assert not hasattr(module, "_aside")


def test_a_task_that_says_that_it_waits_and_does_not_is_queued(view, database):
    task = Count(nowutc())
    view.connection.add(task)
    task._status = TASK_STATUS_QUEUED
    view.client.getSpool().put(ADD, task)
    view.commit()
    with running(database):
        view.until_counts(finished=1)


@pytest.mark.parametrize("name", ["queueName", "priority"])
def test_a_queue_or_priority_that_is_none_is_the_reason(view, database, name):
    task = Count(nowutc())
    setattr(task, name, [])
    view.enqueue(task)
    with running(database):
        view.until_counts(failed=1)
    assert reasons(view)[0].startswith(f"TypeError: {name} is []")


def test_an_instruction_is_of_plain_data(view):
    with pytest.raises(TypeError, match="cannot be a part of an instruction"):
        view.client.getSpool().put("pause", passing_values(True).Color.RED)


LAST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noop(LAST),
        lambda: Late(nowutc(), 1e15),
        lambda: Late(nowutc(), math.inf),
        lambda: Patient(nowutc()),
        lambda: IntervalTask(1e300, LAST),
        lambda: Tick(0, dtstart=nowutc() + TOMORROW, jitter=math.inf),
        lambda: CronTask("0 0 31 12 *", keepOccurrencesFor=math.inf, misfireGrace=1e300),
    ],
    ids=["start", "delay", "endless delay", "retry", "interval", "jitter", "grace"],
)
def test_a_task_due_behind_the_calendar_waits_to_its_end(view, database, make):
    task = view.enqueue(make())
    with running(database, task_max_tries=5):
        view.until(lambda: view.counts() == {"waiting": 1} and task.getStatus() == 2)
        view.until(lambda: task.getDueOn() > nowutc())
        assert not task.isPaused()
        view.client.moveTask(task, LAST - TOMORROW)
        view.client.moveTask(task, LAST)
        view.commit()
        view.until(lambda: task._queued_for == LATEST)
        assert task.getDueOn() == moment(LATEST)
        view.client.dequeue(task)
        view.commit()
        view.until_counts()


@pytest.mark.parametrize("seconds", [math.nan, "soon", None])
def test_a_delay_that_is_no_number_fails_the_run(view, database, seconds):
    task = view.enqueue(Late(nowutc(), seconds))
    with running(database):
        view.until_counts(failed=1)
    assert "it must be a number of seconds" in task.getAttempts()[0].message


@pytest.mark.parametrize(
    "numbers", [{"first": math.nan}, {"jitter": 2}, {"longest": "x"}, {"tries": 0}]
)
def test_a_retry_of_numbers_that_are_none_is_refused(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        Retry(**numbers)


def test_a_wait_of_any_number_of_tries_is_a_number():
    assert wait_for(lambda: Retry(longest=math.inf).wait(10**6)) == math.inf
