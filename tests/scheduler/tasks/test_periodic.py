"""Tasks that are paused, resumed, and scheduled anew while a scheduler runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler import Client, nowutc
from scheduler.tasks import Cron, Interval
from tests.scheduler.harness import running
from tests.scheduler.sample_recurring import EverySecond, WaitEverySecond
from tests.scheduler.sample_tasks import Count, Noop

HOUR = timedelta(hours=1)


def test_a_paused_task_is_not_run_and_a_resumed_one_is(view, database):
    task = view.enqueue(Count(nowutc() + HOUR))
    view.client.pauseTask(task)
    view.client.moveTask(task, nowutc())
    view.enqueue(Count(nowutc()))
    with running(database):
        view.until_counts(waiting=1, finished=1)
        assert task.isPaused()
        view.client.resumeTask(task)
        view.commit()
        view.until_counts(finished=2)
    assert not task.isPaused()


def test_a_paused_task_stays_so_when_the_scheduler_starts_anew(view, database):
    task = view.enqueue(Count(nowutc() + HOUR))
    view.client.pauseTask(task)
    view.client.moveTask(task, nowutc() - HOUR)
    view.commit()
    for finished in (1, 2):
        with running(database):
            view.enqueue(Count(nowutc()))
            view.until_counts(waiting=1, finished=finished)
    assert task.isPaused()


def test_pausing_belongs_to_the_callers_transaction(view, database):
    task = view.enqueue(EverySecond())
    view.client.pauseTask(task)
    view.manager.abort()
    with running(database):
        view.until(lambda: view.root.get("count", 0) >= 2)
    assert not task.isPaused()


def test_a_task_that_is_paused_while_it_runs_ends_its_run(view, database, tmp_path):
    task = view.enqueue(WaitEverySecond(str(tmp_path / "go")))
    with running(database):
        view.until_counts(running=1)
        view.client.pauseTask(task)
        view.commit()
        view.until(lambda: not view.client.getSpool())
        (tmp_path / "go").touch()
        view.until_counts(waiting=1, finished=1)
        assert task.isPaused()
        view.client.resumeTask(task)
        view.commit()
        view.until(lambda: len(task.getOccurrences()) > 1)


def test_a_task_for_the_last_second_of_all_waits_and_can_be_moved(view, database):
    task = view.enqueue(Noop(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))
    with running(database):
        view.until_counts(waiting=1)
        assert not task.isPaused()
        view.client.moveTask(task, nowutc())
        view.commit()
        view.until_counts(finished=1)


def test_a_paused_task_can_be_taken_out(view, database):
    task = view.enqueue(Count(nowutc() + HOUR))
    view.client.pauseTask(task)
    view.client.dequeue(task)
    view.enqueue(Count(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert not task.isPaused()


def test_a_waiting_task_can_be_scheduled_anew(view, database):
    task = view.enqueue(EverySecond(start=nowutc() + HOUR))
    with running(database):
        view.until_counts(waiting=1)
        view.client.changeSchedule(task, Interval(0.1))
        view.commit()
        view.until(lambda: view.root.get("count", 0) >= 2)
    assert task.getSchedule().seconds == 0.1


def test_a_running_task_is_scheduled_anew_when_it_has_ended(view, database, tmp_path):
    task = view.enqueue(WaitEverySecond(str(tmp_path / "go")))
    new = Cron("0 3 1 1 *")
    with running(database):
        view.until_counts(running=1)
        view.client.changeSchedule(task, new)
        view.commit()
        view.until(lambda: not view.client.getSpool())
        (tmp_path / "go").touch()
        view.until_counts(waiting=1, finished=1)
    assert task.getSchedule() == new
    assert task.getStartOn() == datetime(nowutc().year + 1, 1, 1, 3, tzinfo=UTC)


def test_a_paused_task_that_is_scheduled_anew_stays_paused(view, database):
    task = view.enqueue(EverySecond(start=nowutc() + HOUR))
    view.client.pauseTask(task)
    view.client.changeSchedule(task, Interval(0.1))
    view.enqueue(Count(nowutc()))
    with running(database):
        view.until_counts(waiting=1, finished=1)
    assert task.isPaused()


def test_a_task_that_is_run_once_has_no_schedule_to_change(view):
    with pytest.raises(TypeError, match="has no schedule"):
        Client().changeSchedule(Count(nowutc()), Interval(1))
