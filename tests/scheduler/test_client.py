"""Each documented call of the client (reference 3.3).

Covers `scheduler.errors`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_SPOOLED,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.errors import (
    NoConnectionError,
    SchedulerUnknownOperationException,
    TaskInconsistentStatusException,
    TaskStillRunningException,
)
from scheduler.store import using
from tests.scheduler.harness import output_of, running
from tests.scheduler.sample_long import Sleep
from tests.scheduler.sample_tasks import Count, FailTimes, Noop


@pytest.fixture
def task():
    return Count(nowutc())


def test_without_any_connection_a_client_says_what_to_do():
    with pytest.raises(NoConnectionError, match="pass one"):
        Client()


def test_a_client_without_argument_uses_the_current_connection(view, task):
    Client().enqueue(task)
    assert task._p_jar is view.connection


def test_a_client_of_a_stored_object_uses_its_connection(view, open_view, task):
    other = open_view()
    Client(other.root).enqueue(task)
    assert task._p_jar is other.connection


def test_enqueuing_is_true_and_puts_the_task_into_the_spool(client, task):
    assert client.enqueue(task) is True
    assert list(client.getSpool()) == [("add", task)]
    assert task.getStatus() == TASK_STATUS_SPOOLED


def test_an_enqueued_task_is_seen_when_it_is_committed(view, open_view, task):
    other = open_view()
    view.client.enqueue(task)
    assert other.counts() == {}
    view.commit()
    assert other.counts() == {"spooled": 1}


def test_an_aborted_enqueuing_never_was(view, open_view, task):
    view.client.enqueue(task)
    view.manager.abort()
    assert view.counts() == open_view().counts() == {}


def test_a_task_is_found_by_its_number_at_once(client, task):
    client.enqueue(task)
    assert client.getTask(task.getId()) is task


def test_a_task_of_another_process_is_found(view, task, uri):
    view.enqueue(task)
    code = """
import sys
from scheduler import Client
from scheduler.store import connect
with connect(sys.argv[1]):
    print(Client().getTask(int(sys.argv[2])))
"""
    assert output_of(code, uri, task.getId()) == repr(task)


@pytest.mark.parametrize("tid", [0, 1, 10**6, -1, 2**64, None, "7"])
def test_an_unknown_number_is_a_key_error(client, tid):
    with pytest.raises(KeyError):
        client.getTask(tid)


def test_only_tasks_can_be_enqueued(client):
    with pytest.raises(TypeError, match="only a task"):
        client.enqueue("a word")


def test_a_task_enqueued_twice_is_run_once(view, database, task):
    view.enqueue(task)
    view.enqueue(task)
    with running(database):
        view.until_counts(finished=1)
    assert view.root["count"] == 1


def test_a_task_that_has_ended_can_be_enqueued_again(view, database, task):
    view.enqueue(task)
    with running(database):
        view.until_counts(finished=1)
        view.enqueue(task)
        view.until(lambda: view.root["count"] == 2)
        view.until_counts(finished=1)


def test_a_running_task_cannot_be_enqueued(view, database):
    task = view.enqueue(Sleep(nowutc(), 0.5))
    with running(database):
        view.until_counts(running=1)
        with pytest.raises(TaskStillRunningException, match="Sleep"):
            view.client.enqueue(task)


def test_other_instructions_are_true_and_stand_in_the_spool(client, task):
    client.enqueue(task)
    date = nowutc() + timedelta(hours=1)
    assert client.moveTask(task, date) is True
    assert client.dequeue(task) is True
    assert client.shutdown("bye") is True
    assert list(client.getSpool()) == [
        ("add", task),
        ("change", (date, task)),
        ("del", task),
        ("shutdown", "bye"),
    ]


def test_a_date_to_move_to_needs_a_zone(client, task):
    client.enqueue(task)
    with pytest.raises(ValueError, match="newDate must have a time zone"):
        client.moveTask(task, nowutc().replace(tzinfo=None))


def test_clearing_the_spool_counts_what_was_there(view, task):
    view.enqueue(task, Count(nowutc()))
    assert view.client.clearSpool() == 2
    view.commit()
    assert view.counts() == {}


def test_an_unknown_operation_is_refused_to_whoever_asks(view):
    with pytest.raises(SchedulerUnknownOperationException, match=r"'explode'.*add"):
        SchedulerModule.getDBInstance().spool("explode", None)


def test_the_status_has_its_documented_keys(client):
    assert client.getStatus() == {
        "state": False,
        "hostname": None,
        "pid": None,
        "waiting": 0,
        "running": 0,
        "spooled": 0,
        "failed": 0,
        "finished": 0,
    }


def test_the_status_names_the_running_scheduler(view, database):
    with running(database):
        status = view.until(lambda: view.client.getStatus()["state"] and view.client.getStatus())
    assert status["pid"] == os.getpid()
    assert status["hostname"]


def test_a_failed_task_can_be_started_again(view, database):
    task = view.enqueue(FailTimes(nowutc(), 1))
    with running(database):
        view.until_counts(failed=1)
        assert task.getStatus() == TASK_STATUS_FAILED
        view.client.startFailedTask(task)
        view.commit()
        view.until_counts(finished=1)
    assert view.root["count"] == 1


def test_a_task_that_is_started_again_has_waited_since_then_only(relay):
    task = FailTimes(nowutc(), 1)
    task.maxTries = 1
    relay.enqueue(task)
    relay.run_due()
    relay.clock.advance(100_000)
    relay.client.startFailedTask(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert task.getAttempts()[-1].waited < 60


def test_a_task_that_has_not_failed_cannot_be_started_again(view):
    task = view.enqueue(Noop(nowutc()))
    with pytest.raises(TaskInconsistentStatusException, match="has not failed"):
        view.client.startFailedTask(task)


def test_enqueue_works_in_the_connection_of_a_block(open_view, task):
    view = open_view()
    with using(view.connection):
        Client().enqueue(task)
        view.commit()
    assert view.counts() == {"spooled": 1}
