"""Tasks that come back at once are slowed down; conflicts are no failed tries."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from itertools import pairwise

import pytest
from ZODB.POSException import ConflictError, ReadConflictError

from scheduler import nowutc
from scheduler.dispatch.dispatcher import Dispatcher
from scheduler.queue import PersistentWaitingQueue
from scheduler.states import TASK_STATUS_QUEUED
from scheduler.store import transact
from scheduler.tasks import IntervalTask, OneShotTask
from scheduler.tasks.retry import LONGEST_PACE, Retry, TaskDelayed, paced
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Raise

# A scheduler that spins makes hundreds in a second.
MANY_TICKS = 60


class AlwaysDelayed(OneShotTask):
    def run(self):
        raise TaskDelayed(0)


class Fights(OneShotTask):
    """Meets a conflict, whenever it is run, while there is no peace."""

    maxTries = 1

    def run(self):
        if not self._p_jar.root().get("peace"):
            raise ConflictError(object=self)


class FightsInPreparation(Fights):
    def prepare(self):
        super().prepare()
        super().run()

    def run(self):
        pass


class FightsInTearDown(FightsInPreparation):
    def prepare(self):
        pass

    def tearDown(self):
        Fights.run(self)


class ReadsInConflict(Fights):
    def run(self):
        if not self._p_jar.root().get("peace"):
            raise ReadConflictError(object=self)


class ConflictsWhenCommitted(Fights):
    """Changes what another connection changes before it is committed."""

    def run(self):
        root = self._p_jar.root()
        if not root.get("peace"):
            root["fought over"] = 1
            transact(self._p_jar.db(), _fight)


class FightsDaily(IntervalTask):
    maxTries = 1

    def run(self):
        Fights.run(self)


def _fight(connection):
    connection.root()["fought over"] = connection.root().get("fought over", 0) + 1


def test_a_task_may_come_back_at_once_a_few_times():
    assert [paced(0, times) for times in range(1, 11)] == [0] * 10


def test_a_task_that_comes_back_at_once_without_end_waits_longer_each_time():
    waits = [paced(0, times) for times in range(11, 100)]
    assert waits == sorted(waits)
    assert waits[0] > 0
    assert waits[-1] == LONGEST_PACE


@pytest.mark.parametrize("seconds", [1, 5, 3600])
def test_a_wait_of_a_second_or_more_is_what_was_asked_for(seconds):
    assert paced(seconds, 1000) == seconds


def test_a_task_that_wants_to_run_at_once_for_ever_is_slowed_down(view):
    task = view.enqueue(AlwaysDelayed(nowutc()))
    with running(view.database):
        runs = view.until(lambda: len(task.getAttempts()) > 11 and task.getAttempts())
    waits = [after.started - before.ended for before, after in pairwise(runs)]
    assert max(waits).total_seconds() >= paced(0, 11)


def test_ten_conflicts_in_a_row_put_a_task_off_and_are_no_failed_try(view, caplog):
    caplog.set_level(logging.WARNING)
    task = view.enqueue(Fights(nowutc()))
    with running(view.database):
        view.until(lambda: task.getAttempts() and task.getStatus() == TASK_STATUS_QUEUED)
        attempt, *_ = task.getAttempts()
        assert task.getDueOn() > attempt.ended
        assert attempt.state == TASK_STATUS_QUEUED
        assert "conflict" in attempt.message
        assert f"task {task.getId()} (Fights) is put off" in caplog.text
        make_peace(view)
        view.until_counts(finished=1)
    assert view.counts() == {"finished": 1}


@pytest.mark.parametrize(
    "kind", [FightsInPreparation, FightsInTearDown, ReadsInConflict, ConflictsWhenCommitted]
)
def test_conflicts_are_no_failed_try_wherever_they_are_met(view, kind):
    task = view.enqueue(kind(nowutc()))
    with running(view.database):
        view.until(lambda: task.getAttempts() and task.getStatus() == TASK_STATUS_QUEUED)
        make_peace(view)
        view.until_counts(finished=1)


def test_conflicts_of_a_recurring_task_are_no_failed_try(view):
    task = view.enqueue(FightsDaily(86400))
    with running(view.database):
        view.until(lambda: task._attempts and task.getStatus() == TASK_STATUS_QUEUED)
        make_peace(view)
        view.until(lambda: task.getOccurrences())
    assert view.status()["failed"] == 0


def make_peace(view):
    while True:
        view.refresh()
        view.root["peace"] = True
        try:
            view.commit()
        except ConflictError:
            view.manager.abort()
        else:
            return


def test_conflicts_put_a_task_off_for_longer_each_time():
    waits = [Retry(first=1, longest=60, jitter=0).wait(times) for times in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_failed_try_is_one_line_of_the_log_with_the_number_of_its_task(view, caplog):
    caplog.set_level(logging.WARNING)
    task = view.enqueue(Raise(nowutc(), ValueError("two\nlines")))
    with running(view.database, task_max_tries=1):
        view.until_counts(failed=1)
    (line,) = [record.getMessage() for record in caplog.records if "lines" in record.getMessage()]
    expected = f"task {task.getId()} (Raise) failed on try 1 of 1, for good: ValueError: two lines"
    assert line == expected


@pytest.fixture
def ticks(monkeypatch):
    """Count the ticks of all schedulers."""
    counted = []
    tick = Dispatcher._tick

    def counting(self):
        counted.append(self)
        return tick(self)

    monkeypatch.setattr(Dispatcher, "_tick", counting)
    return counted


def test_an_interval_of_nothing_lets_no_scheduler_spin(view, ticks):
    with running(view.database, sleep_interval=0):
        time.sleep(1)
    assert len(ticks) < MANY_TICKS


def test_a_due_task_that_cannot_be_had_lets_no_scheduler_spin(view, ticks, monkeypatch):
    monkeypatch.setattr(PersistentWaitingQueue, "pop_due", lambda self, now, limit: [])
    view.enqueue(Raise(nowutc() + timedelta(seconds=0.1), ValueError()))
    with running(view.database, sleep_interval=10):
        time.sleep(1)
    assert 1 < len(ticks) < MANY_TICKS
