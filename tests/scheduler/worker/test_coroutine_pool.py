"""Coroutine tasks are at work many at once in one worker, each with its own transaction.

Covers `scheduler.worker.coroutine_pool`, `scheduler.worker.coroutine_loop`,
`scheduler.executors.coroutine_watch` and `scheduler.runtime.coroutines`.
"""

from __future__ import annotations

import logging

import pytest
from persistent.list import PersistentList

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_TERMINATED,
)
from scheduler.states import ENDED
from scheduler.store import open_database
from scheduler.testing import Relay
from scheduler.worker.coroutine_pool import MOST_ON_A_SERVER
from tests.scheduler import sample_coroutines
from tests.scheduler.harness import View, running
from tests.scheduler.sample_coroutines import (
    Doze,
    block,
    block_over_limit,
    block_without_limit,
    cling,
    commit,
    die_once,
    doze,
    doze_briefly,
    endless,
    fail,
    in_parts,
    leave,
    meet,
    overdue,
    sleep_long,
    wait_for_file,
)
from tests.waiting import DEADLINE

MANY = 100


@pytest.fixture(params=["threads", "processes"])
def mode(request):
    return request.param


def ended(view, calls, states=ENDED):
    view.until(lambda: all(call.getStatus() in states for call in calls))
    return [call.getStatus() for call in calls]


def test_a_hundred_coroutines_are_at_work_at_once_on_one_worker(view, database, mode):
    sample_coroutines.met.clear()
    view.root["expected"] = MANY
    calls = [meet.enqueue(f"name {number}") for number in range(MANY)]
    view.commit()
    with running(database, workers=1, multitask_mode=mode):
        assert set(ended(view, calls)) == {TASK_STATUS_FINISHED}
    assert {call.getResult() for call in calls} == {f"name {number}" for number in range(MANY)}
    assert {len(call.getAttempts()) for call in calls} == {1}


def test_a_class_a_failure_and_limits(view, database):
    task = Doze()
    view.client.enqueue(task)
    calls = [fail.enqueue(), overdue.enqueue(), endless.enqueue(), commit.enqueue()]
    calls[-1].maxTries = 1
    view.commit()
    with running(database, workers=1):
        states = ended(view, [task, *calls])
    assert states == [
        *(TASK_STATUS_FINISHED, TASK_STATUS_FAILED, TASK_STATUS_FAILED),
        *(TASK_STATUS_TERMINATED, TASK_STATUS_FAILED),
    ]
    assert task.getResult() == task.getId()
    messages = [call.getAttempts()[-1].message for call in calls]
    assert messages[0] == "ValueError: behind an await"
    assert messages[1] == "TaskTimedOut: the run is over its soft limit of 0.1 s"
    assert messages[2] == "the run took longer than its hard limit of 0.1 s"
    assert "a task must not commit" in messages[3]
    assert "lost" not in view.root


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("exit", TASK_STATUS_FAILED),
        ("interrupt", TASK_STATUS_FAILED),
        ("part", TASK_STATUS_FAILED),
        ("callback", TASK_STATUS_FINISHED),
        ("stop", TASK_STATUS_FINISHED),
    ],
)
def test_a_coroutine_that_exits_or_stops_the_loop_holds_up_no_other(view, database, how, state):
    view.root["dozed"] = PersistentList()
    calls = [doze.enqueue(0.2), leave.enqueue(how)]
    view.commit()
    with running(database, workers=1):
        assert ended(view, calls) == [TASK_STATUS_FINISHED, state]
        after = doze.enqueue(0)
        view.commit()
        assert ended(view, [after]) == [TASK_STATUS_FINISHED]


def test_a_coroutine_makes_checkpoints(view, database):
    call = in_parts.enqueue()
    view.commit()
    with running(database, workers=1):
        assert view.client.waitFor(call, DEADLINE) == 2


def test_a_coroutine_that_blocks_is_reported_by_the_number_of_its_task(view, database, caplog):
    call = block.enqueue()
    view.commit()
    with caplog.at_level(logging.WARNING), running(database, workers=1):
        view.client.waitFor(call, DEADLINE)
    (line,) = [each for each in caplog.messages if "blocks the event loop" in each]
    assert line.startswith(f"task {call.getId()} blocks the event loop of coroutine/")
    assert "sample_coroutines.py" in line


def check_that_it_can_be_cancelled(view, call):
    """Cancel *call* as it runs; its worker is free for the next one then."""
    view.until(lambda: call.getStatus() == TASK_STATUS_RUNNING)
    view.client.cancelTask(call)
    view.commit()
    view.until(lambda: call.getStatus() == TASK_STATUS_ABORTED)
    view.client.waitFor(view.enqueue(Doze()), DEADLINE)


def test_a_coroutine_is_cancelled_where_it_awaits(view, database, mode):
    view.root["dozed"] = PersistentList()
    call = doze.enqueue(3600)
    view.commit()
    with running(database, workers=1, multitask_mode=mode, shutdown_timeout=0):
        check_that_it_can_be_cancelled(view, call)
    assert [*view.root["dozed"]] == []


@pytest.fixture
def go(tmp_path, monkeypatch):
    """The file that ends what blocks, at the end of the test at the latest."""
    monkeypatch.setattr("scheduler.executors.coroutine_watch.GRACE_SECONDS", 0.2)
    file = tmp_path / "go"
    yield file
    file.touch()


@pytest.mark.parametrize("stubborn", [block_over_limit, cling])
def test_a_coroutine_that_does_not_end_at_its_hard_limit_is_ended_and_no_other_is_charged(
    view, database, mode, go, stubborn
):
    other = wait_for_file.enqueue(str(go))
    view.commit()
    with running(database, workers=1, multitask_mode=mode):
        view.until(lambda: other.getStatus() == TASK_STATUS_RUNNING)
        call = stubborn.enqueue(str(go.with_name("never")))
        view.commit()
        assert ended(view, [call]) == [TASK_STATUS_TERMINATED]
        assert call.getAttempts()[-1].message == "the run took longer than its hard limit of 0.2 s"
        go.touch()
        assert ended(view, [other]) == [TASK_STATUS_FINISHED]
    go.with_name("never").touch()


def test_a_coroutine_that_blocks_is_ended_when_it_is_cancelled(view, database, mode, go):
    call = block_without_limit.enqueue(str(go))
    view.commit()
    with running(database, workers=1, multitask_mode=mode):
        check_that_it_can_be_cancelled(view, call)


def test_a_coroutine_that_keeps_another_from_its_limit_goes_on_by_itself(view, database, go):
    calls = [sleep_long.enqueue(), block_without_limit.enqueue(str(go))]
    view.commit()
    with running(database, workers=1, multitask_mode="processes"):
        assert ended(view, calls[:1]) == [TASK_STATUS_TERMINATED]
        go.touch()
        assert ended(view, calls) == [TASK_STATUS_TERMINATED, TASK_STATUS_FINISHED]


def test_coroutines_whose_worker_is_killed_have_their_effects_once(view, database, tmp_path):
    view.root["deaths"] = PersistentList()
    calls = [die_once.enqueue(str(tmp_path)) for _ in range(5)]
    view.commit()
    with running(database, workers=1, multitask_mode="processes"):
        assert set(ended(view, calls)) == {TASK_STATUS_FINISHED}
    assert sorted(view.root["deaths"]) == sorted(call.getId() for call in calls)


def test_by_the_fixture_of_tests_it_is_run_by_itself(relay: Relay):
    call = in_parts.enqueue()
    relay.run_due()
    assert call.getResult() == 2


def test_on_a_database_server_there_is_room_for_more_tasks_than_connections(postgres_uri):
    database = open_database(postgres_uri)
    view = View(database)
    calls = [doze_briefly.using(view.connection).enqueue() for _ in range(MOST_ON_A_SERVER + 10)]
    view.commit()
    with running(database, workers=1):
        assert set(ended(view, calls)) == {TASK_STATUS_FINISHED}
    view.close()
    database.close()
