"""What a run commits, and what it leaves behind when it does not succeed.

Covers `scheduler.worker.claimed_task`, `scheduler.worker.failure`.
"""

from __future__ import annotations

import importlib
import sys
from datetime import timedelta

import pytest
from dateutil import rrule

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
    SchedulerModule,
    nowutc,
)
from scheduler.store import open_database
from scheduler.tasks.retry import Retry
from tests.scheduler.harness import View, output_of, running
from tests.scheduler.sample_misbehaving import CommitElsewhere, MeetConflict
from tests.scheduler.sample_recurring import Tick
from tests.scheduler.sample_tasks import (
    Count,
    DelayOnce,
    FailTimes,
    Parent,
    Raise,
    Started,
    TearDown,
)


def test_effects_and_finished_mark_are_one_commit(view, database):
    task = view.enqueue(Count(nowutc()))
    with running(database):
        view.until(lambda: view.root.get("count"))
        assert repr(task).endswith("|FI]")
        assert task._p_serial == view.root._p_serial


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), KeyboardInterrupt(), RecursionError(), BaseException("any")],
)
def test_a_failed_run_leaves_nothing_but_its_record(view, database, error):
    task = view.enqueue(Raise(nowutc(), error))
    with running(database):
        view.until_counts(failed=1)

    (attempt,) = task.getAttempts()
    assert "count" not in view.root
    assert not hasattr(task, "changed")
    assert attempt.message == f"{type(error).__name__}: {error}"
    assert "in run" in attempt.traceback
    assert attempt.started <= attempt.ended == task.getEndedOn()


def test_an_overridden_start_is_the_run_and_is_told_how_late_it_is(view, database):
    task = view.enqueue(Started(nowutc() - timedelta(seconds=30)))
    with running(database):
        view.until_counts(finished=1)
    assert 30 <= task.delay < 3600
    assert task.getResult() == "started: run"


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_an_exit_ends_the_run_only(view, database, mode):
    view.enqueue(Raise(nowutc(), SystemExit(3)), Count(nowutc()))
    with running(database, multitask_mode=mode):
        view.until_counts(failed=1, finished=1)
    assert view.root["count"] == 1


def test_a_group_neighbour_that_fails_is_undone_alone(view, database):
    moment = nowutc()
    tasks = [Count(moment) if n % 3 else Raise(moment, ValueError(n)) for n in range(60)]
    view.enqueue(*tasks)
    with running(database):
        view.until_counts(finished=40, failed=20)
    assert view.root["count"] == 40


def test_a_failed_task_is_tried_again_within_ten_seconds_by_default(view, database):
    task = view.enqueue(FailTimes(nowutc(), 1))
    with running(database, task_max_tries=2):
        view.until(lambda: task.getAttempts())
        assert timedelta() < task.getDueOn() - task.getAttempts()[0].ended <= timedelta(seconds=10)
        view.until_counts(finished=1)
    assert view.root["count"] == 1
    assert [attempt.state for attempt in task.getAttempts()] == [
        TASK_STATUS_FAILED,
        TASK_STATUS_FINISHED,
    ]


def test_a_task_has_failed_when_its_tries_are_used_up(view, database, monkeypatch):
    monkeypatch.setattr(FailTimes, "retries", {ValueError: Retry(first=0.01)})
    task = view.enqueue(FailTimes(nowutc(), 9))
    with running(database, task_max_tries=3):
        view.until_counts(failed=1)
    assert [attempt.number for attempt in task.getAttempts()] == [1, 2, 3]


def test_a_class_may_say_itself_how_often_it_is_tried(view, database, monkeypatch):
    monkeypatch.setattr(FailTimes, "retries", {ValueError: Retry(first=0.01)})
    monkeypatch.setattr(FailTimes, "maxTries", 2)
    task = view.enqueue(FailTimes(nowutc(), 9))
    with running(database, task_max_tries=5):
        view.until_counts(failed=1)
    assert len(task.getAttempts()) == 2


def test_a_delay_is_no_failed_try_and_leaves_nothing(view, database):
    task = view.enqueue(DelayOnce(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert view.root["count"] == 1
    delayed, finished = task.getAttempts()
    assert (delayed.state, delayed.number) == (TASK_STATUS_QUEUED, 1)
    assert (finished.state, finished.number) == (TASK_STATUS_FINISHED, 1)
    assert task.getStartedOn() >= task.getStartOn() + timedelta(seconds=0.2)


def test_a_task_may_commit_in_a_transaction_of_its_own(view, database):
    view.enqueue(CommitElsewhere(nowutc()))
    with running(database):
        view.until_counts(failed=1)
    assert view.root["count"] == 1


def test_a_run_that_meets_a_conflict_is_done_again(view, database):
    task = view.enqueue(MeetConflict(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert view.root["count"] == 2
    assert [attempt.state for attempt in task.getAttempts()] == [TASK_STATUS_FINISHED]


@pytest.mark.parametrize("is_failing", [True, False])
def test_a_task_is_torn_down_once(view, database, is_failing):
    view.enqueue(TearDown(nowutc(), is_failing))
    with running(database):
        view.until(lambda: view.root.get("torn down"))
    view.refresh()
    assert view.root["torn down"] == 1


def test_a_task_that_a_task_enqueues_is_run(view, database):
    view.enqueue(Parent(nowutc()))
    with running(database):
        view.until_counts(finished=2)
    assert view.root["count"] == 1


def test_an_occurrence_is_stored_with_times_and_the_next_date_set(view, database):
    task = view.enqueue(Tick(rrule.HOURLY))
    with running(database):
        view.until_counts(waiting=1, finished=1)
    (occurrence,) = task.getOccurrences()
    assert occurrence.getStartedOn() <= occurrence.getEndedOn()
    assert list(SchedulerModule.getDBInstance().getFinishedIndex()) == [occurrence]
    assert task.getStartOn() > nowutc()


def test_a_task_that_does_not_come_back_leaves_no_shelf_but_its_occurrence(view, database):
    task = Tick(rrule.SECONDLY)
    task.dontComeBack()
    # The other one is due when the first would have come back.
    view.enqueue(task, Count(nowutc() + timedelta(seconds=1.2)))
    with running(database):
        view.until_counts(finished=2)
    assert view.counts() == {"finished": 2}


def test_the_last_date_of_a_rule_ends_the_task(view, database):
    an_hour_ago = nowutc() - timedelta(hours=1)
    task = view.enqueue(Tick(rrule.HOURLY, dtstart=an_hour_ago, count=2, catchUp="all"))
    with running(database):
        view.until_counts(finished=2)
    assert view.root["count"] == 2
    assert repr(task).endswith("|FI]")


# Classes that are not there

PASSING = """
from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import count

class Passing(OneShotTask):
    def run(self):
        count("count")
"""


def take_away(tmp_path):
    (tmp_path / "passing_tasks.py").rename(tmp_path / "away.txt")
    sys.modules.pop("passing_tasks", None)
    importlib.invalidate_caches()


def give_back(tmp_path):
    (tmp_path / "away.txt").rename(tmp_path / "passing_tasks.py")
    importlib.invalidate_caches()


ENQUEUE = """
import sys, transaction
sys.path.insert(0, sys.argv[2])
from passing_tasks import Passing
from scheduler import Client, nowutc
from scheduler.store import connect
with connect(sys.argv[1]):
    Client().enqueue(Passing(nowutc()))
    transaction.commit()
"""


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_task_without_class_is_set_aside_and_taken_back_with_its_class(tmp_path, mode):
    uri = f"file://{tmp_path}/data.fs"
    (tmp_path / "passing_tasks.py").write_text(PASSING)
    output_of(ENQUEUE, uri, tmp_path)
    take_away(tmp_path)

    database = open_database(uri)
    view = View(database)
    with running(database, multitask_mode=mode):
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=1, failed=1)
    (aside,) = SchedulerModule.getDBInstance(view.connection).aside()
    assert "Passing" in aside.reason
    view.close()
    database.close()

    give_back(tmp_path)
    sys.path.insert(0, str(tmp_path))
    database = open_database(uri)
    view = View(database)
    try:
        with running(database, multitask_mode=mode):
            view.until_counts(finished=2)
        assert view.root["count"] == 2
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("passing_tasks", None)
        view.close()
        database.close()


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_a_task_without_class_is_taken_back_when_asked_once_its_class_is_there(
    tmp_path, mode, monkeypatch
):
    uri = f"file://{tmp_path}/data.fs"
    (tmp_path / "passing_tasks.py").write_text(PASSING)
    output_of(ENQUEUE, uri, tmp_path)
    take_away(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    database = open_database(uri)
    view = View(database)
    try:
        with running(database, multitask_mode=mode):
            view.until_counts(failed=1)
            view.client.reclaim()
            view.commit()
            view.until(lambda: not view.client.getSpool())
            assert view.counts() == {"failed": 1}

            give_back(tmp_path)
            view.client.reclaim()
            view.commit()
            view.until_counts(finished=1)
    finally:
        sys.modules.pop("passing_tasks", None)
        view.close()
        database.close()
