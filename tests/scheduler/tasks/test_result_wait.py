"""A client waits for the result of a task, which another process runs.

Covers `scheduler.tasks.result_wait`.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading

import pytest
import transaction

from scheduler import Client
from scheduler.errors import (
    SchedulerException,
    TaskFailed,
    TaskNotCommitted,
    TaskNotFoundException,
    WaitTimeoutError,
)
from scheduler.store import open_database, using
from scheduler.tasks import SamplePeriodicTask, TaskChain, TaskGroup
from scheduler.testing import Relay
from tests import rest
from tests.ports import free_port
from tests.scheduler.harness import View, python
from tests.scheduler.sample_waits import SCHEDULER, Sum, double, fail
from tests.waiting import DEADLINE


class Failing(Sum):
    maxTries = 1

    def run(self):
        raise ValueError("no sum")


class Waiting(Sum):
    maxTries = 1

    def run(self):
        return Client().waitFor(self)


@pytest.fixture(params=["embedded", "ZEO", "PostgreSQL"], scope="module")
def uri(request, tmp_path_factory):
    """A database whose tasks a scheduler in a process of its own runs, which opens it first."""
    server = request.getfixturevalue("postgres_server") if request.param == "PostgreSQL" else None
    folder = tmp_path_factory.mktemp("waits")
    with rest.PLACES[request.param](folder, free_port(), server) as place:
        with python(SCHEDULER, place.uri, stdin=subprocess.PIPE) as scheduler:
            yield place.uri
            scheduler.communicate(timeout=DEADLINE)
        assert scheduler.returncode == 0


@pytest.fixture
def client(uri):
    database = open_database(uri)
    view = View(database)
    with using(view.connection):
        yield view.client
    view.close()
    database.close()


def commit(client):
    client.getSpool()._p_jar.transaction_manager.commit()


def test_the_result_is_returned_once_it_is_committed(client):
    call = double.enqueue(21)
    commit(client)
    assert client.waitFor(call, DEADLINE) == 42
    assert client.waitFor(call) == 42


def test_a_group_a_chain_and_a_failure_are_waited_for(client):
    calls = [double.enqueue(1), double.enqueue(2)]
    commit(client)
    assert [client.waitFor(each, DEADLINE) for each in calls] == [2, 4]
    last, failed = Sum(), fail.enqueue()
    client.enqueueChain(Sum(), last)
    commit(client)
    assert client.waitFor(last, DEADLINE) == 0
    with pytest.raises(TaskFailed, match="has failed: ValueError: no such order"):
        client.waitFor(failed, DEADLINE)


@pytest.fixture
def call(relay: Relay):
    """A call that has its turn when the clock is put forward."""
    call = double.enqueueIn(60, 21)
    transaction.commit()
    return call


def test_a_task_that_is_not_committed_is_refused(relay: Relay):
    call = double.enqueue(1)
    with pytest.raises(TaskNotCommitted, match="commit it before"):
        relay.client.waitFor(call)
    with pytest.raises(TaskNotCommitted):
        relay.client.waitFor(Sum())


def test_a_task_that_has_not_ended_in_time_goes_on(relay: Relay, call):
    with pytest.raises(TimeoutError, match=r"has not ended within 0\.01 s"):
        relay.client.waitFor(call, 0.01)
    relay.clock.advance(61)
    relay.run_due()
    assert relay.client.waitFor(call, 0) == 42


def test_a_task_that_was_dequeued_is_gone(relay: Relay, call):
    relay.client.dequeue(call)
    relay.run_due()
    with pytest.raises(TaskNotFoundException, match="is gone"):
        relay.client.waitFor(call)


def test_a_cancelled_task_fails(relay: Relay, call):
    relay.client.cancelTask(call)
    relay.run_due()
    with pytest.raises(TaskFailed, match="has been cancelled"):
        relay.client.waitFor(call)


def test_a_task_that_is_enqueued_again_has_a_new_result(relay: Relay, call):
    relay.clock.advance(61)
    relay.run_due()
    relay.enqueue(call)
    with pytest.raises(WaitTimeoutError):
        relay.client.waitFor(call, 0)


def test_a_step_behind_one_that_fails_fails(relay: Relay):
    last = Sum()
    failing = Failing()
    relay.client.enqueueChain(failing, last)
    transaction.commit()
    with pytest.raises(WaitTimeoutError):
        relay.client.waitFor(last, 0)
    relay.run_due()
    with pytest.raises(TaskFailed, match="ValueError: no sum"):
        relay.client.waitFor(last)


def test_a_step_behind_one_that_is_started_again_is_waited_for(relay: Relay):
    failing, last, follower = Failing(), Sum(), Sum()
    chain = TaskChain(Sum(), failing, last)
    relay.client.enqueue(chain)
    relay.client.enqueue(follower, after=[chain])
    relay.run_due()
    relay.client.startFailedTask(failing)
    transaction.commit()
    for step in (chain, last, follower):
        with pytest.raises(WaitTimeoutError):
            relay.client.waitFor(step, 0)
    relay.run_due()
    with pytest.raises(TaskFailed):
        relay.client.waitFor(follower, 0)


def test_a_group_is_waited_for_as_a_whole(relay: Relay):
    group = relay.client.enqueueGroup([Sum(), Sum()])
    transaction.commit()
    with pytest.raises(WaitTimeoutError):
        relay.client.waitFor(group, 0)
    relay.run_due()
    assert relay.client.waitFor(group) == [0, 0]


def test_a_chain_is_waited_for_to_its_end_and_tells_which_step_has_failed(relay: Relay):
    good, bad = TaskChain(Sum(), TaskGroup([Sum()])), TaskChain(Failing(), Sum())
    relay.client.enqueue(good)
    relay.client.enqueue(bad)
    transaction.commit()
    with pytest.raises(WaitTimeoutError):
        relay.client.waitFor(good, 0)
    relay.run_due()
    assert relay.client.waitFor(good) == [0]
    with pytest.raises(TaskFailed, match=r"\[TaskChain:\d+\] has failed: .*ValueError: no sum"):
        relay.client.waitFor(bad)


def test_what_comes_back_has_no_result_to_wait_for(relay: Relay):
    with pytest.raises(TypeError, match="again and again"):
        relay.client.waitFor(SamplePeriodicTask(3))


def test_an_attempt_does_not_wait(relay: Relay):
    task = Waiting()
    relay.enqueue(task)
    relay.run_due()
    assert SchedulerException.__name__ in task.getAttempts()[-1].message


def test_it_is_woken_by_a_commit_and_does_not_poll(relay: Relay, call, monkeypatch):
    looks = []
    look = type(call).getStatus
    monkeypatch.setattr(type(call), "getStatus", lambda task: looks.append(1) or look(task))
    ended = []
    manager = transaction.TransactionManager()
    own = View(relay.database, manager)
    waiter = threading.Thread(
        target=lambda: ended.append(own.client.waitFor(own.client.getTask(call.getId()), DEADLINE))
    )
    waiter.start()
    with contextlib.suppress(WaitTimeoutError):
        relay.client.waitFor(call, 0.5)
    quiet = len(looks)
    monkeypatch.undo()
    relay.clock.advance(120)
    relay.run_due()
    waiter.join(DEADLINE)
    own.close()
    assert ended == [42]
    assert quiet <= 4


def test_nothing_is_written_by_a_wait(relay: Relay, call):
    before = relay.database.lastTransaction()
    with contextlib.suppress(WaitTimeoutError):
        relay.client.waitFor(call, 0.1)
    assert relay.database.lastTransaction() == before
