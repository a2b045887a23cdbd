"""What the scheduler of the reference did wrong, and the tests that show it is done right here.

`SHOWN_BY` names each weakness with its tests, by subject; those that stand nowhere else follow
below, in the same order.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import timedelta

import psutil
import pytest
from dateutil import rrule

from scheduler import (
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_TERMINATED,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.dispatch import tick
from scheduler.store import current, transact
from scheduler.tasks import OneShotTask
from scheduler.tasks.retry import Retry
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.runner import Runner
from tests.faults.processes import Daemon
from tests.reference.scheduler_weaknesses import SHOWN_BY
from tests.reference.shown_by import missing
from tests.scheduler.harness import View, running
from tests.scheduler.sample_long import Sleep, Wait
from tests.scheduler.sample_misbehaving import MeetConflict
from tests.scheduler.sample_recurring import EverySecond, LimitedTick, Tick
from tests.scheduler.sample_tasks import Count, FailTimes, Noop
from tests.waiting import wait_for


def test_each_weakness_is_shown_by_tests_that_there_are():
    assert missing(SHOWN_BY) == set()


# Instructions


def test_instructions_that_make_no_sense_stop_nobody(relay):
    task, later = Count(nowutc()), Count(nowutc() + timedelta(hours=1))
    relay.enqueue(task, later)
    for _ in range(2):
        relay.client.dequeue(later)
        relay.client.cancelTask(later)
        relay.client.moveTask(later, nowutc())
        relay.client.resumeTask(later)
    assert relay.run_due() == [task]
    assert later.getStatus() == TASK_STATUS_NONE


class Undatable(Noop):
    """Has a key, and cannot say when it is to be run."""

    def uniqueKey(self):
        return "the one"

    def getStartOn(self):
        raise RuntimeError("no idea")


def test_a_task_that_cannot_be_queued_keeps_no_key(relay):
    module = SchedulerModule.getDBInstance()
    relay.enqueue(Undatable(nowutc()))
    relay.run_due()
    assert len(module.aside()) == 1
    assert len(module.unique) == 0


def test_an_ended_task_can_be_deleted(relay):
    task = Count(nowutc())
    relay.enqueue(task)
    relay.run_due()
    relay.client.dequeue(task)
    relay.run_due()
    assert relay.client.getStatus()["finished"] == 0
    with pytest.raises(KeyError):
        relay.client.getTask(task.getId())


def test_moving_changes_nothing_before_the_scheduler_has_taken_it_up(relay):
    date = nowutc() + timedelta(hours=1)
    task = Count(date)
    relay.enqueue(task)
    relay.run_due()
    relay.client.moveTask(task, nowutc())
    assert task.getStartOn() == date
    assert relay.run_due() == [task]


def test_a_moved_task_can_be_dequeued(relay):
    task = Count(nowutc() + timedelta(hours=1))
    relay.enqueue(task)
    relay.run_due()
    relay.client.moveTask(task, nowutc() + timedelta(hours=2))
    relay.client.dequeue(task)
    relay.run_due()
    assert relay.client.getStatus()["waiting"] == 0


def test_a_failed_task_is_started_by_an_instruction(relay):
    task = FailTimes(nowutc(), 5)
    relay.enqueue(task)
    while task.getStatus() != 4:
        relay.run_due()
        relay.clock.advance(3600)
    relay.client.startFailedTask(task)
    assert list(relay.client.getSpool()) == [("add", task)]
    assert relay.client.getStatus()["failed"] == 1


# Start, stop and recovery


def give_out(connection):
    """Give all due tasks to a scheduler that dies at once."""
    module = SchedulerModule.getDBInstance(connection)
    moves = tick.Tick(module)
    for instruction in module.getSpool().take(100):
        moves.instructions.perform(instruction)
    return moves.claiming.claim(nowutc().timestamp(), 100, {})


def test_all_that_a_dead_scheduler_had_given_out_is_run(view):
    view.enqueue(*(Count(nowutc()) for _ in range(5)))
    assert len(transact(view.database, give_out)) == 5
    with running(view.database):
        view.until_counts(finished=5)


def test_a_run_committed_before_its_scheduler_died_counts_and_is_not_repeated(view):
    task = view.enqueue(Count(nowutc()))
    claims = transact(view.database, give_out)
    runner = Runner(view.database, 1, "test", lambda news: None)
    runner.run(claims[0], ClaimQueue())
    runner.close()
    with running(view.database):
        view.until_counts(finished=1)
    assert view.root["count"] == 1
    assert len(task.getAttempts()) == 1


def test_workers_end_with_their_killed_daemon(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    with closing(Daemon(tmp_path, uri, multitask_mode="processes")) as daemon:
        daemon.wait_until_up()
        workers = wait_for(daemon.workers)
        daemon.kill()
        assert psutil.wait_procs(workers, timeout=200)[1] == []


# Conflicts


class ConflictInPreparation(MeetConflict):
    def prepare(self):
        super().prepare()
        super().run()

    def run(self):
        pass


def test_a_run_whose_preparation_meets_a_conflict_is_done_again(relay):
    task = ConflictInPreparation(nowutc())
    relay.enqueue(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert relay.connection.root()["count"] == 2
    assert len(task.getAttempts()) == 1


class Edited(OneShotTask):
    """Notes its text; somebody edits that meanwhile, in its first run only."""

    text = "old"

    def run(self):
        current().root()["seen"] = self.text
        if self.text == "old":
            transact(current().db(), self.edit)

    def edit(self, connection):
        Client(connection).getTask(self.getId()).text = "new"


def test_an_edit_of_a_task_that_is_at_work_is_kept_and_seen_by_its_run(relay):
    task = Edited(nowutc())
    relay.enqueue(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert (task.text, relay.connection.root()["seen"]) == ("new", "new")
    assert len(task.getAttempts()) == 1


def test_the_hundredth_end_of_a_periodic_run_writes_no_more_than_the_tenth(relay):
    relay.enqueue(EverySecond())
    sizes = [_bytes_of_next_second(relay) for _ in range(100)]
    assert min(sizes[90:]) < 1.5 * max(sizes[:10])


def _bytes_of_next_second(relay):
    relay.clock.advance(1)
    before = relay.database.storage.getSize()
    assert len(relay.run_due()) == 1
    return relay.database.storage.getSize() - before


def test_clients_read_the_status_and_enqueue_while_it_changes_without_a_conflict(view):
    view.enqueue(*(Count(nowutc()) for _ in range(50)))
    with running(view.database):
        for _ in range(50):
            seen = view.status()
            view.client.enqueue(Noop(nowutc()) if seen["running"] else Count(nowutc()))
            view.commit()  # a conflict would get out here
        view.until_counts(finished=100)


def test_two_equal_instructions_at_once_do_not_conflict(view):
    other = View(view.database)
    with closing(other):
        for each in (view, other):
            each.refresh()
            each.client.shutdown("the same")
        view.commit()
        other.commit()
    view.refresh()
    assert list(view.client.getSpool()) == [("shutdown", "the same")] * 2


# Runs


def test_a_task_that_waits_for_its_next_try_keeps_no_worker(view, monkeypatch):
    monkeypatch.setattr(FailTimes, "retries", {Exception: Retry(first=5, jitter=0)})
    failing = view.enqueue(FailTimes(nowutc(), 1))
    with running(view.database, workers=1, task_max_tries=3):
        view.until(lambda: len(failing.getAttempts()) == 1)
        other = view.enqueue(Count(nowutc()))
        view.until(lambda: other.getStatus() == TASK_STATUS_FINISHED)
        assert len(failing.getAttempts()) == 1
        view.until(lambda: failing.getStatus() == TASK_STATUS_FINISHED)


def test_tries_are_counted_on_after_a_restart(view):
    task = view.enqueue(FailTimes(nowutc(), 2))
    for tries in (1, 2):
        with running(view.database, task_max_tries=2):
            view.until(lambda tries=tries: len(task.getAttempts()) == tries)
    assert [attempt.number for attempt in task.getAttempts()] == [1, 2]
    assert view.counts() == {"failed": 1}


def test_waits_grow_are_bounded_and_left_to_chance_in_part():
    retry = Retry(first=2, factor=2, longest=60, jitter=0.5)
    for tries, longest in ((1, 2), (2, 4), (5, 32), (6, 60), (10_000, 60)):
        waits = {retry.wait(tries) for _ in range(50)}
        assert len(waits) > 1
        assert min(waits) >= longest / 2
        assert max(waits) <= longest


at_work = []


class Together(OneShotTask):
    """Notes how many of its kind are at work with it."""

    most = 0

    def run(self):
        at_work.append(threading.get_ident())
        Together.most = max(Together.most, len(at_work))
        time.sleep(0.05)
        at_work.pop()


def test_no_more_tasks_are_run_at_a_time_than_there_are_workers(view):
    view.enqueue(*(Together(nowutc()) for _ in range(12)))
    with running(view.database, workers=3):
        view.until_counts(finished=12)
    assert Together.most <= 3


# Recurring tasks


@pytest.mark.parametrize("kind", ["periodic", "once"])
def test_a_terminated_task_can_be_started_again(view, tmp_path, kind):
    go = tmp_path / "go"
    task = LimitedTick(rrule.YEARLY) if kind == "periodic" else LimitedWait(nowutc(), str(go))
    view.enqueue(task)
    with running(view.database):
        view.until(lambda: view.counts().get("failed") == 1)
        go.touch()
        if kind == "once":
            assert task.getStatus() == TASK_STATUS_TERMINATED
            view.client.startFailedTask(task)
        else:
            view.client.moveTask(task, nowutc())
        view.commit()
        view.until(lambda: view.root.get("count") == 1)


class LimitedWait(Wait):
    hardLimit = 0.5


def test_a_rule_without_dates_ends_the_task_that_is_enqueued(relay):
    past = nowutc() - timedelta(days=2)
    task = Tick(rrule.YEARLY, dtstart=past, until=past - timedelta(days=1))
    relay.enqueue(task)
    assert relay.run_due() == []
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert relay.client.getStatus()["failed"] == 1


# Order, time and growth


def test_a_task_due_after_2038_waits(view):
    date = nowutc().replace(year=2050)
    task = view.enqueue(Count(date))
    with running(view.database):
        view.until_counts(waiting=1)
        view.enqueue(Sleep(nowutc(), 0))
        view.until_counts(waiting=1, finished=1)
    queue = SchedulerModule.getDBInstance(view.connection).getWaitingQueue()
    assert list(queue[int(date.timestamp())]) == [task]
    assert Client(view.connection).getTask(task.getId()) is task
