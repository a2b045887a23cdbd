"""Chains and groups: what is run after what, and what becomes of it when something fails.

Covers `scheduler.dispatch.release`, `scheduler.tasks.group`, `scheduler.tasks.result`.
"""

from __future__ import annotations

import os

import pytest
from persistent import Persistent

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    nowutc,
)
from scheduler.store import current
from scheduler.tasks import IntervalTask, OneShotTask
from scheduler.tasks.chain import chain
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.result import KeptResult
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop

MEMBERS = 10_000 if os.environ.get("SOAK") else 300


class Add(OneShotTask):
    """Adds a number to the sum of its inputs, and notes the result."""

    maxTries = 1

    def __init__(self, number):
        super().__init__(nowutc())
        self.number = number

    def run(self):
        total = self.number + sum(each or 0 for each in self.getInputs())
        root = current().root()
        root["notes"] = (*root.get("notes", ()), total)
        return total


class Broken(Add):
    """Fails until the root says that it is mended."""

    def run(self):
        if "mended" not in current().root():
            raise ValueError("broken")
        return super().run()


class Account(Persistent):
    balance = 5


class FindAccount(Add):
    def run(self):
        account = current().root()["account"] = Account()
        return account


class ReadAccount(Add):
    def run(self):
        (account,) = self.getInputs()
        return account.balance


class Wordy(Add):
    def run(self):
        return "word " * 10_000


def states(*tasks):
    return [task.getStatus() for task in tasks]


def notes(view):
    view.refresh()
    return view.root.get("notes", ())


def run_until(view, database, **counts):
    with running(database):
        view.until_counts(**counts)


def test_a_step_is_run_when_the_one_before_has_finished_and_has_its_result(view, client, database):
    client.enqueueChain(*map(Add, (1, 10, 100)))
    view.commit()
    run_until(view, database, finished=3)
    assert notes(view) == (1, 11, 111)


def test_a_chain_that_is_aborted_never_was(view, client, database):
    client.enqueueChain(Add(1), Add(2))
    view.manager.abort()
    assert client.getStatus()["spooled"] == 0


def test_a_failed_step_stops_the_chain_until_it_has_been_started_again(view, client, database):
    first, second, third = Add(1), Broken(2), Add(3)
    client.enqueueChain(first, second, third)
    view.commit()
    with running(database):
        view.until_counts(finished=1, failed=1)
        assert states(first, second, third) == [
            TASK_STATUS_FINISHED,
            TASK_STATUS_FAILED,
            TASK_STATUS_NONE,
        ]
        view.root["mended"] = True
        client.startFailedTask(second)
        view.commit()
        view.until_counts(finished=3)
    assert notes(view) == (1, 3, 6)


def test_finished_steps_are_undone_backwards_when_a_later_step_fails(view, client, database):
    undo_first, undo_third = Add(-1), Add(-3)
    client.enqueueChain((Add(1), undo_first), Add(2), (Add(3), undo_third), Broken(4), Add(5))
    view.commit()
    run_until(view, database, finished=5, failed=1)
    # Each has the result of what it undoes.
    assert notes(view) == (1, 3, 6, 6 - 3, 1 - 1)


def test_nothing_is_undone_of_a_chain_that_succeeds(view, client, database):
    undoing = Add(-1)
    client.enqueueChain((Add(1), undoing), Add(2))
    view.commit()
    run_until(view, database, finished=2)
    assert undoing.getStatus() == TASK_STATUS_NONE


def test_a_cancelled_step_counts_as_failed(view, client, database):
    waiting, never, undoing = Add(2), Add(3), Add(-1)
    waiting.setStartOn(nowutc().replace(year=9000))
    client.enqueueChain((Add(1), undoing), waiting, never)
    view.commit()
    with running(database, sleep_interval=10):
        view.until_counts(finished=1, waiting=1)
        client.cancelTask(waiting)
        view.commit()
        view.until_counts(finished=2, failed=1)
    assert states(waiting, never, undoing) == [
        TASK_STATUS_ABORTED,
        TASK_STATUS_NONE,
        TASK_STATUS_FINISHED,
    ]


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_after_all_of_a_group_what_follows_has_the_results_of_all(view, client, database, mode):
    then = Add(1000)
    group = client.enqueueGroup(map(Add, range(20)), then)
    view.commit()
    with running(database, multitask_mode=mode, sleep_interval=10):
        view.until_counts(finished=21)
    assert then.getInputs() == list(range(20))
    assert then.getResult() == 1000 + sum(range(20))
    assert group.getStatus() == {"pending": 0, "failed": 0, "finished": 20}


def test_a_group_can_be_a_step_among_others(view, client, database):
    client.enqueueChain(Add(1), TaskGroup([Add(2), Add(3)]), Add(4))
    view.commit()
    run_until(view, database, finished=4)
    assert notes(view)[-1] == (1 + 2) + (1 + 3) + 4


def test_an_empty_group_is_over_at_once(view, client, database):
    then = Add(1)
    client.enqueueGroup([], then)
    view.commit()
    run_until(view, database, finished=1)
    assert then.getResult() == 1


def test_the_follower_of_a_group_waits_for_the_failed_members(view, client, database):
    broken, then = Broken(2), Add(3)
    group = client.enqueueGroup([Add(1), broken], then)
    view.commit()
    with running(database, sleep_interval=10):
        view.until_counts(finished=1, failed=1)
        assert group.getStatus() == {"pending": 0, "failed": 1, "finished": 1}
        assert then.getStatus() == TASK_STATUS_NONE
        view.root["mended"] = True
        client.startFailedTask(broken)
        view.commit()
        view.until_counts(finished=3)
    assert then.getResult() == 6


def test_a_group_may_go_on_without_the_failed_ones(view, client, database):
    then = Add(3)
    client.enqueueGroup([Add(1), Broken(2)], then, onFailure="continue")
    view.commit()
    run_until(view, database, finished=2, failed=1)
    assert then.getInputs() == [1, None]


def test_a_group_may_be_cancelled_by_the_first_that_fails(view, client, database):
    later = [Add(1) for _ in range(3)]
    for task in later:
        task.setStartOn(nowutc().replace(year=9000))
    client.enqueueGroup([Broken(2), *later], Add(3), onFailure="cancel")
    view.commit()
    with running(database, sleep_interval=10):
        view.until_counts(failed=4)
    assert states(*later) == [TASK_STATUS_ABORTED] * 3


def test_a_failed_group_undoes_the_steps_before_it(view, client, database):
    client.enqueueChain((Add(1), Add(-1)), TaskGroup([Add(2), Broken(3)]), Add(4))
    view.commit()
    run_until(view, database, finished=3, failed=1)
    assert notes(view)[-1] == 0


def test_a_task_that_is_dequeued_leaves_its_group_unfinished(view, client, database):
    gone = Add(2)
    gone.setStartOn(nowutc().replace(year=9000))
    group = client.enqueueGroup([Add(1), gone], Add(3), onFailure="continue")
    view.commit()
    with running(database, sleep_interval=10):
        view.until_counts(finished=1, waiting=1)
        client.dequeue(gone)
        view.commit()
        view.until_counts(finished=2)
    assert group.getStatus()["failed"] == 1


def test_results_travel_as_references_to_stored_objects(view, client, database):
    read = ReadAccount(0)
    client.enqueueChain(FindAccount(0), read)
    view.commit()
    run_until(view, database, finished=2)
    assert read.getResult() == 5


def test_a_big_result_is_kept_beside_its_task(view, client, database):
    task = view.enqueue(Wordy(0))
    run_until(view, database, finished=1)
    assert isinstance(task._result, KeptResult)
    assert len(task.getResult()) == 50_000


@pytest.mark.soak
def test_a_group_of_thousands_is_created_in_one_commit_and_completed(view, client, database):
    then = Add(0)
    client.enqueueGroup((Noop(nowutc()) for _ in range(MEMBERS)), then)
    view.commit()
    with running(database):
        view.until_counts(600, finished=MEMBERS + 1)
    assert then.getInputs() == [None] * MEMBERS


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ((), ValueError),
        (("no task",), TypeError),
        ((IntervalTask(60),), TypeError),
        (([Add(1)],), TypeError),
    ],
)
def test_steps_that_can_be_no_chain_are_refused(steps, error):
    with pytest.raises(error):
        chain(*steps)


def test_a_task_that_is_enqueued_can_be_no_step(view):
    task = view.enqueue(Add(1))
    with pytest.raises(ValueError, match="enqueued or linked already"):
        chain(Add(2), task)


def test_tasks_that_can_be_no_group_are_refused():
    with pytest.raises(ValueError, match="onFailure is 'explode'"):
        TaskGroup([], onFailure="explode")
    with pytest.raises(TypeError):
        TaskGroup([IntervalTask(60)])
