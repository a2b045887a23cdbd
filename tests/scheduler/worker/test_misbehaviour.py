"""Tasks that misbehave harm themselves only; the scheduler goes on."""

from __future__ import annotations

import errno
import os
from datetime import timedelta

import pytest
import transaction
from dateutil import rrule

from scheduler import TASK_STATUS_RUNNING, TASK_STATUS_TERMINATED, Client, SchedulerModule, nowutc
from scheduler.store import open_database, transact, using
from tests.scheduler.harness import Running, running
from tests.scheduler.sample_long import Sleep, Wait
from tests.scheduler.sample_misbehaving import NamedLikeMarks, Prepare
from tests.scheduler.sample_recurring import Tick, Undecided
from tests.scheduler.sample_tasks import Count, Noop


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_an_exit_while_preparing_is_a_failed_try(view, database, mode):
    tasks = [Prepare(nowutc(), "prepare") for _ in range(3)]
    view.enqueue(*tasks)
    with running(database, multitask_mode=mode):
        view.until_counts(failed=3)
    assert {task.getAttempts()[0].message for task in tasks} == {"SystemExit: 2"}


@pytest.mark.parametrize("tries", ["three", 2.5, property(lambda _: 1 // 0)])
def test_a_failure_is_recorded_where_the_number_of_tries_cannot_be_used(
    view, database, monkeypatch, tries
):
    monkeypatch.setattr(NamedLikeMarks, "maxTries", tries)
    task = view.enqueue(NamedLikeMarks(nowutc()))
    with running(database, multitask_mode="threads", task_max_tries=1):
        view.until_counts(failed=1)
    assert task.getAttempts()[0].message == "ValueError: to be recorded"


def test_an_exit_while_tearing_down_changes_nothing(view, database):
    view.enqueue(*(Prepare(nowutc(), "tearDown") for _ in range(3)))
    with running(database):
        view.until_counts(finished=3)
    assert view.root["count"] == 3


def test_a_task_may_have_attributes_of_any_name(view, database):
    task = view.enqueue(NamedLikeMarks(nowutc()))
    with running(database):
        view.until_counts(failed=1)
    assert task.getAttempts()[0].message == "ValueError: to be recorded"


def test_a_task_that_cannot_be_shelved_is_set_aside_and_the_scheduler_goes_on(view, database):
    view.enqueue(Undecided(rrule.YEARLY, dtstart=nowutc()))
    with running(database):
        view.until(lambda: view.counts().get("failed") == 1)
        view.enqueue(Noop(nowutc()))
        view.until(lambda: view.counts().get("finished") == 1)
    with running(database):
        view.enqueue(Noop(nowutc()))
        view.until(lambda: view.counts().get("finished") == 2)


def test_a_task_that_no_file_is_left_to_read_from_is_run_when_there_is_one(
    view, database, monkeypatch, caplog
):
    task = view.enqueue(Count(nowutc()))
    read, refused = database.storage.loadBefore, []

    def read_but_once(oid, tid):
        if oid == task._p_oid and not refused:
            refused.append(oid)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return read(oid, tid)

    monkeypatch.setattr(database.storage, "loadBefore", read_but_once)
    with running(database):
        view.until(lambda: view.root.get("count") == 1)
    assert refused
    assert "the database cannot be read: Too many open files" in caplog.text


def test_a_short_task_is_committed_before_a_long_one_begins(view, database, tmp_path):
    view.enqueue(Noop(nowutc()))
    with running(database, workers=1):
        view.until_counts(finished=1)
        view.enqueue(Count(nowutc()), Wait(nowutc(), str(tmp_path / "go")))
        view.until(lambda: view.root.get("count") == 1)
        (tmp_path / "go").touch()


def test_a_waiting_periodic_task_can_be_moved(view, database):
    task = Tick(rrule.YEARLY, dtstart=nowutc() + timedelta(days=1))
    view.enqueue(task)
    with running(database):
        view.until_counts(waiting=1)
        view.client.moveTask(task, nowutc())
        view.commit()
        view.until(lambda: view.root.get("count") == 1)
        view.until_counts(waiting=1, finished=1)


def test_a_task_whose_date_its_owner_changed_is_still_found_in_the_queue(view, database):
    task = view.enqueue(Count(nowutc() + timedelta(days=1)))
    with running(database):
        view.until_counts(waiting=1)
        task.setStartOn(nowutc() + timedelta(days=2))
        view.commit()
        view.client.dequeue(task)
        view.commit()
        view.until_counts()


def test_a_periodic_task_that_expires_ends_terminated(view, database):
    task = Tick(rrule.SECONDLY, expiryDate=nowutc() + timedelta(seconds=1))
    view.enqueue(task)
    with running(database):
        view.until(lambda: view.counts().get("failed") == 1)
        assert task.getStatus() == TASK_STATUS_TERMINATED
        assert list(SchedulerModule.getDBInstance(view.connection).getFailedIndex()) == [task]


def test_a_task_taken_from_its_worker_has_no_effect_any_more(view, database, tmp_path):
    task = view.enqueue(Sleep(nowutc(), 1, str(tmp_path / "began")))
    with running(database, workers=1):
        view.until(lambda: (tmp_path / "began").exists())

        def terminate(connection):
            module = SchedulerModule.getDBInstance(connection)
            one = module.getTaskById(task.getId())
            module.moveTask(one, TASK_STATUS_RUNNING, TASK_STATUS_TERMINATED)

        transact(database, terminate)
        view.enqueue(Noop(nowutc()))
        view.until_counts(failed=1, finished=1)
    assert (tmp_path / "began").read_text().count("\n") == 1
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert "count" not in view.root


def test_a_client_made_in_a_transaction_that_was_aborted_works_on(tmp_path):
    database = open_database(f"file://{tmp_path}/fresh.fs")
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    connection.root()["something"] = "else"
    client = Client(connection)
    manager.abort()
    client.enqueue(Noop(nowutc()))
    manager.commit()
    assert client.getStatus()["spooled"] == 1
    connection.close()
    database.close()


def test_without_a_database_the_one_current_when_it_was_made_is_used(view, database):
    view.enqueue(Count(nowutc()))
    with using(view.connection):
        run = Running(None)
    view.until_counts(finished=1)
    run.scheduler.shutdown()
    assert run.join() == 0
