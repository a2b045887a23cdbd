"""What has ended is kept for a time, by age and number, and then forgotten.

Covers `scheduler.values.retention_policy`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import transaction

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.dispatch.pruner import STEP, Pruner
from scheduler.errors import SchedulerConfigurationException
from scheduler.leadership.lease import Lease
from scheduler.leadership.roster import roster_of
from scheduler.settings import Settings
from scheduler.tasks import IntervalTask, OneShotTask
from scheduler.tasks.attempt import Attempt
from scheduler.values.retention_policy import Keep
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop

DAY = 86400


class Kept(OneShotTask):
    keepFinished = Keep(count=2)
    keepFailed = Keep(seconds=DAY)

    def run(self):
        pass


class Once(IntervalTask):
    keepFinished = Keep(count=0)

    def run(self):
        self.dontComeBack()


class Often(IntervalTask):
    keepFinished = Keep(count=3)

    def run(self):
        pass


@pytest.fixture
def module(view):
    return SchedulerModule.getDBInstance(view.connection)


@pytest.fixture
def end(view, module):
    """Put tasks on the shelf of *state* as if they had ended so many days ago."""

    def ended(*ages, kind=Noop, state=TASK_STATUS_FINISHED):
        tasks = []
        for days in ages:
            task = kind(nowutc())
            view.connection.add(task)
            moment = nowutc() - timedelta(days=days)
            task._record(Attempt(1, moment, moment, state))
            task._status = state
            module.shelve(task, moment, state)
            tasks.append(task)
        view.commit()
        return tasks

    return ended


@pytest.fixture
def retention(view, database):
    """Make a retention that acts for whoever leads now."""

    def made(settings):
        view.refresh()
        return Pruner(Lease(database, roster_of(view.connection).term), settings)

    return made


@pytest.fixture
def sweep(view, retention):
    """Sweep through both indexes, with these settings; return in how many steps it was done."""

    def swept(**config):
        sweeping = retention(Settings.of(config))
        sweeping.step()
        number = 1
        while sweeping.rest() < 1:
            sweeping._next = 0
            sweeping.step()
            number += 1
        view.refresh()
        return number

    return swept


def ids(index):
    return [element.getId() for element in index]


def test_old_tasks_go_and_others_stay(module, end, sweep):
    old, young = end(31, 29)
    sweep(keep_finished="30d")
    assert ids(module.getFinishedIndex()) == [young.getId()]
    assert len(module.getFinishedIndex()) == 1
    assert young.getStatus() == TASK_STATUS_FINISHED
    assert old.getStatus() == TASK_STATUS_NONE


def test_of_too_many_the_oldest_go(module, end, sweep):
    tasks = end(5, 4, 3, 2, 1)
    sweep(keep_finished_count=2)
    assert ids(module.getFinishedIndex()) == [task.getId() for task in tasks[-2:]]


def test_failed_tasks_have_limits_of_their_own(module, end, sweep):
    old, young = end(31, 29, state=TASK_STATUS_FAILED)
    end(31)
    sweep(keep_finished="1d", keep_failed="30d")
    assert ids(module.getFailedIndex()) == [young.getId()]
    assert not list(module.getFinishedIndex())
    assert old.getStatus() == TASK_STATUS_NONE


def test_a_class_may_say_for_itself_how_much_is_kept(module, end, sweep):
    others = end(6, 5)
    tasks = end(40, 3, 2, kind=Kept)
    failed = end(1.5, 0.5, kind=Kept, state=TASK_STATUS_FAILED)
    sweep(keep_finished_count=2)
    kept = [task.getId() for task in (*others, *tasks[1:])]
    assert ids(module.getFinishedIndex()) == kept
    assert ids(module.getFailedIndex()) == [failed[1].getId()]


def test_a_task_that_went_is_known_only_to_those_who_refer_to_it(view, end, sweep):
    (task,) = end(40)
    view.root["mine"] = task
    view.commit()
    sweep()
    with pytest.raises(KeyError):
        view.client.getTask(task.getId())
    assert view.root["mine"].getStatus() == TASK_STATUS_NONE
    assert len(view.root["mine"].getAttempts()) == 1
    view.enqueue(view.root["mine"])


def test_many_go_in_small_steps(database, module, end, sweep):
    end(*(100 + number / 1000 for number in range(2 * STEP + 10)))
    assert sweep() == 4
    assert len(module.getFinishedIndex()) == 0
    sizes = [len(list(one)) for one in database.storage.iterator()][-3:]
    assert max(sizes) <= STEP + 100


def test_those_that_ended_at_the_same_moment_are_counted_each(view, module, database, sweep):
    moment = nowutc() - timedelta(days=1)
    for _ in range(STEP + 5):
        task = Noop(moment)
        view.connection.add(task)
        task._record(Attempt(1, moment, moment, TASK_STATUS_FINISHED))
        module.shelve(task, moment, TASK_STATUS_FINISHED)
    view.commit()
    sweep(keep_finished_count=3)
    assert len(module.getFinishedIndex()) == len(list(module.getFinishedIndex())) == 3


def test_occurrences_go_and_their_task_goes_on(view, database, module, sweep):
    task = Often(0.05)
    view.enqueue(task)
    with running(database):
        view.until(lambda: view.counts().get("finished", 0) >= 6)
    sweep()
    assert len(list(module.getFinishedIndex())) == 3
    assert len(task.getOccurrences()) >= 6
    assert view.client.getTask(task.getId()) is task


def test_a_task_that_does_not_come_back_goes_with_its_last_occurrence(view, database, module):
    task = Once(1)
    view.enqueue(task)
    with running(database):
        view.until(lambda: task.getEndedOn() is not None and not view.counts().get("running"))
    with running(database):
        view.until(lambda: task.getStatus() == TASK_STATUS_NONE)
    with pytest.raises(KeyError):
        view.client.getTask(task.getId())


def test_the_scheduler_sweeps_by_itself(view, database, module, end):
    end(40, 39, 1)
    with running(database):
        view.until_counts(finished=1)


def test_a_task_whose_state_cannot_be_loaded_goes_all_the_same(
    view, database, module, end, sweep, monkeypatch
):
    end(40, 39)

    def refuse(self, state):
        raise ValueError("no such state")

    monkeypatch.setattr(Noop, "__setstate__", refuse)
    view.connection.cacheMinimize()
    view.refresh()
    sweep()
    assert len(module.getFinishedIndex()) == 0


def test_a_task_is_started_again_that_goes_meanwhile(view, database, end, sweep):
    (task,) = end(40, state=TASK_STATUS_FAILED)
    view.client.startFailedTask(task)
    view.commit()
    sweep(keep_failed="1d")
    with running(database):
        view.until_counts(finished=1)


@pytest.fixture
def trim(view, retention, sweep):
    """Sweep, have *work* done while the sweeper rests, and let it trim; return the pruner."""

    def trimmed(work, **config):
        pruner = retention(Settings.of(config))
        while pruner.rest() < 1:
            pruner._next = 0
            pruner.step()
        work()
        pruner.step()
        while pruner._is_over:
            pruner._next_trim = 0
            pruner.step()
        view.refresh()
        return pruner

    return trimmed


def test_an_index_that_outgrows_its_limit_between_two_sweeps_loses_its_oldest(module, end, trim):
    end(3, 2)
    ages = [1 - number / 10_000 for number in range(2 * STEP)]
    newest = []
    trim(lambda: newest.extend(end(*ages)), keep_finished_count=100)
    kept = ids(module.getFinishedIndex())
    assert 100 <= len(kept) <= 100 + STEP
    assert kept == [task.getId() for task in newest[-len(kept) :]]


def test_an_index_is_not_trimmed_while_what_ends_has_a_limit_of_its_own(module, end, trim):
    others = end(3, 2)

    def flood():
        end(*(1 - number / 10_000 for number in range(2 * STEP)), kind=Kept)

    trim(flood, keep_finished_count=2)
    assert ids(module.getFinishedIndex())[:2] == [task.getId() for task in others]


def test_a_trim_passes_over_what_has_a_limit_of_its_own(module, end, trim):
    own = end(4, 3, kind=Kept)

    def flood():
        end(*(1 - number / 10_000 for number in range(2 * STEP)))

    trim(flood, keep_finished_count=10)
    kept = ids(module.getFinishedIndex())
    assert kept[:2] == [task.getId() for task in own]
    assert 12 <= len(kept) <= 12 + STEP


def test_an_index_within_its_limit_is_not_trimmed_and_nothing_is_written(database, end, trim):
    tids = []

    def note():
        end(2, 1)
        tids.append(database.lastTransaction())

    trim(note, keep_finished_count=10)
    assert database.lastTransaction() == tids[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("keep_finished", "a while"),
        ("keep_failed", -1),
        ("keep_finished_count", 1.5),
        ("keep_failed_count", "many"),
    ],
)
def test_a_limit_of_no_use_is_named(option, value):
    with pytest.raises(SchedulerConfigurationException, match=rf"{option} .*must be"):
        Settings.of({option: value})


def test_clients_of_other_transactions_do_not_stop_a_sweep(view, retention, open_view, end):
    (task,) = end(40)
    other = open_view()
    mine = other.connection.get(task._p_oid)
    mine.note = "touched"
    retention(Settings()).step()
    with pytest.raises(transaction.interfaces.TransientError):
        other.commit()
    other.manager.abort()
    view.refresh()
    with pytest.raises(KeyError):
        Client(view.connection).getTask(task.getId())
