"""What can be seen of a run while it goes on and afterwards, and how it is ended.

Covers `scheduler.runtime.context`, `scheduler.runtime.code_version`, `scheduler.tasks.attempt`.
"""

from __future__ import annotations

import importlib

import pytest
from dateutil import rrule

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_TERMINATED,
    nowutc,
)
from tests.scheduler.harness import running
from tests.scheduler.sample_long import Endless, Limited, Report, SoftlyLimited
from tests.scheduler.sample_misbehaving import Leak
from tests.scheduler.sample_recurring import LimitedTick
from tests.scheduler.sample_tasks import Count, Noop

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


@both_modes
def test_progress_is_seen_while_the_task_runs(view, database, tmp_path, mode):
    task = view.enqueue(Report(nowutc(), str(tmp_path / "go")))
    with running(database, multitask_mode=mode):
        view.until(lambda: task.getProgress() == (0.5, "half"))
        assert task.getStatus() == TASK_STATUS_RUNNING
        (tmp_path / "go").touch()
        view.until_counts(finished=1)
    assert task.getProgress() is None


@both_modes
def test_the_return_value_of_run_is_the_result(view, database, tmp_path, mode):
    (tmp_path / "go").touch()
    task = view.enqueue(Report(nowutc(), str(tmp_path / "go")))
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
    assert task.getResult() == {"answer": 42}


def test_an_unstorable_result_fails_the_run(view, database):
    task = view.enqueue(Generate(nowutc()))
    with running(database):
        view.until_counts(failed=1)
    assert "generator" in task.getAttempts()[0].message
    assert view.root.get("count") is None


class Generate(Count):
    """Returns what cannot be stored."""

    def run(self):
        super().run()
        return (number for number in range(3))


@both_modes
def test_a_run_that_succeeds_is_recorded_too(view, database, tmp_path, mode):
    (tmp_path / "go").touch()
    task = view.enqueue(Report(nowutc(), str(tmp_path / "go")))
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)

    (attempt,) = task.getAttempts()
    assert attempt.state == TASK_STATUS_FINISHED
    assert (attempt.number, attempt.message, attempt.traceback) == (1, "", "")
    assert attempt.worker.startswith(("thread-", "process-"))
    assert attempt.duration == (task.getEndedOn() - task.getStartedOn()).total_seconds()
    assert [line.split(" INFO ")[1] for line in attempt.log] == ["half of it is done"]


def test_the_record_tells_the_version_of_the_code(view, database, tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    task = view.enqueue(importlib.import_module("shop").Ship(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert task.getAttempts()[0].version == "2.7"


SHOP = """
from scheduler.tasks import OneShotTask
__version__ = "2.7"
class Ship(OneShotTask):
    def run(self):
        return "shipped"
"""


@both_modes
def test_a_running_task_that_is_cancelled_ends_and_leaves_nothing(view, database, tmp_path, mode):
    file = tmp_path / "said"
    task = view.enqueue(Endless(nowutc(), str(file)))
    with running(database, multitask_mode=mode):
        view.until(file.exists)
        view.client.cancelTask(task)
        view.commit()
        view.until_counts(failed=1)
        if mode == "threads":
            view.until(lambda: file.read_text() == "begun\nended\n")
        view.enqueue(Noop(nowutc()), Noop(nowutc()), Noop(nowutc()))
        view.until_counts(failed=1, finished=3)

    assert task.getStatus() == TASK_STATUS_ABORTED
    assert view.root.get("count") is None
    assert [attempt.message for attempt in task.getAttempts()] == ["cancelled"]


def test_a_waiting_task_that_is_cancelled_is_not_run(view, database):
    task = view.enqueue(Count(nowutc()))
    view.client.cancelTask(task)
    view.commit()
    with running(database):
        view.until_counts(failed=1)
    assert task.getStatus() == TASK_STATUS_ABORTED
    assert view.root.get("count") is None


def test_a_cancelled_task_can_be_started_again(view, database):
    task = view.enqueue(Count(nowutc()))
    view.client.cancelTask(task)
    view.commit()
    with running(database):
        view.until_counts(failed=1)
        view.client.startFailedTask(task)
        view.commit()
        view.until_counts(finished=1)
    assert view.root["count"] == 1


def test_cancelling_what_has_ended_changes_nothing(view, database):
    task = view.enqueue(Count(nowutc()))
    with running(database):
        view.until_counts(finished=1)
        view.client.cancelTask(task)
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=2)
    assert task.getStatus() == TASK_STATUS_FINISHED


def test_an_aborted_transaction_cancels_nothing(view, database):
    task = view.enqueue(Count(nowutc()))
    view.client.cancelTask(task)
    view.manager.abort()
    with running(database):
        view.until_counts(finished=1)


@both_modes
def test_a_run_over_its_hard_limit_is_terminated(view, database, tmp_path, mode):
    task = view.enqueue(Limited(nowutc(), str(tmp_path / "said")), Noop(nowutc()))
    with running(database, multitask_mode=mode, workers=1, task_max_tries=5):
        view.until_counts(failed=1, finished=1)

    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert view.root.get("count") is None
    assert task.getAttempts()[-1].message == "the run took longer than its hard limit of 0.5 s"


@both_modes
def test_a_periodic_task_goes_on_after_a_run_over_its_limit(view, database, mode):
    task = view.enqueue(LimitedTick(rrule.SECONDLY))
    with running(database, multitask_mode=mode):
        view.until(lambda: view.root.get("count", 0) >= 2)
    statuses = [occurrence.getStatus() for occurrence in task.getOccurrences()]
    assert statuses[0] == TASK_STATUS_TERMINATED
    assert statuses.count(TASK_STATUS_FINISHED) >= 2


@both_modes
def test_a_run_over_its_soft_limit_is_a_failed_try(view, database, tmp_path, mode):
    task = view.enqueue(SoftlyLimited(nowutc(), str(tmp_path / "said")))
    with running(database, multitask_mode=mode):
        view.until_counts(failed=1)
    assert task.getStatus() == TASK_STATUS_FAILED
    assert task.getAttempts()[0].message == "TaskTimedOut: the run is over its soft limit of 0.3 s"


def test_outside_of_a_run_there_is_nothing_to_check_or_report(view):
    task = view.enqueue(Noop(nowutc()))
    task.checkCancelled()
    task.setProgress(0.5)
    assert task.getProgress() is None


def test_a_worker_that_has_grown_too_big_is_replaced(view, database, tmp_path):
    pids = tmp_path / "pids"
    view.enqueue(*(Leak(nowutc(), 200, str(pids)) for _ in range(3)))
    with running(database, multitask_mode="processes", workers=1, worker_memory=200):
        view.until_counts(finished=3)
    assert view.root["count"] == 3
    assert len(set(pids.read_text().split())) > 1


def test_a_task_that_takes_far_too_much_memory_is_ended(view, database, tmp_path):
    task = view.enqueue(Leak(nowutc(), 600, str(tmp_path / "pids")), Noop(nowutc()))
    with running(database, multitask_mode="processes", workers=1, worker_memory=200):
        view.until_counts(finished=1, failed=1)
    assert task.getStatus() == TASK_STATUS_FAILED
    assert view.root.get("count") is None
