"""A whole scheduler at work, with threads and with processes (reference 3.2 to 3.5).

Covers `scheduler.dispatch.instructions`, `scheduler.dispatch.tick`,
`scheduler.dispatch.settlement`, `scheduler.dispatch.scheduler`, `scheduler.executors.base`,
`scheduler.executors.threads`, `scheduler.executors.start`, `scheduler.worker.outcome`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import timedelta

import pytest
from dateutil import rrule
from ZEO.Exceptions import ClientDisconnected

from scheduler import Client, Scheduler, nowutc
from scheduler.dispatch import tick
from scheduler.errors import SchedulerException
from scheduler.inbox.spool import ADD, Instruction
from scheduler.shelves.module import SchedulerModule
from scheduler.store import connect
from scheduler.tasks import OneShotTask
from tests.scheduler.harness import Running, python, running
from tests.scheduler.sample_long import Sleep, Wait
from tests.scheduler.sample_misbehaving import Die, DieOnce
from tests.scheduler.sample_recurring import EverySecondFails, Tick, UniqueTick
from tests.scheduler.sample_tasks import Count, Noop, Raise
from tests.waiting import DEADLINE, wait_for


class Away(OneShotTask):
    """What its date is stands where the database cannot be reached."""

    def getDueOn(self):
        raise ClientDisconnected("away")


both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


def soon(seconds=0.0):
    return nowutc() + timedelta(seconds=seconds)


@both_modes
def test_a_task_due_in_a_moment_is_run_at_its_time(view, database, mode):
    task = view.enqueue(Count(soon(1.5)))

    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
        assert view.status()["state"] is True

    assert view.root["count"] == 1
    assert task.getStartedOn() >= task.getStartOn() - timedelta(seconds=1)


@both_modes
def test_tasks_of_the_same_moment_are_all_run(view, database, mode):
    moment = soon()
    view.enqueue(*(Count(moment) for _ in range(5)))

    with running(database, multitask_mode=mode):
        view.until_counts(finished=5)

    assert view.root["count"] == 5


@both_modes
def test_failing_tasks_do_not_stop_the_others(view, database, mode):
    view.enqueue(
        *(Count(soon()) for _ in range(3)), *(Raise(soon(), ValueError("no")) for _ in "12")
    )

    with running(database, multitask_mode=mode):
        view.until_counts(finished=3, failed=2)

    assert view.root["count"] == 3


@both_modes
def test_tasks_of_the_future_wait(view, database, mode):
    failing = [Raise(soon(), ValueError("no")) for _ in "12"]
    view.enqueue(Count(soon()), *failing, *(Count(soon(200 * 60)) for _ in "12"))

    with running(database, multitask_mode=mode):
        view.until_counts(finished=1, failed=2, waiting=2)


@both_modes
def test_periodic_tasks_come_back(view, database, mode):
    view.enqueue(*(Tick(rrule.SECONDLY) for _ in range(5)))

    with running(database, multitask_mode=mode):
        view.until(lambda: view.client.getStatus()["finished"] >= 10)

    assert view.counts()["waiting"] == 5
    assert view.root["count"] == view.counts()["finished"]


def test_a_periodic_task_that_fails_goes_on(view, database):
    task = view.enqueue(EverySecondFails(rrule.SECONDLY))

    with running(database):
        view.until(lambda: len(task.getOccurrences()) == 4)
        view.until_counts(waiting=1, finished=2, failed=2)

    messages = [occurrence.message for occurrence in task.getOccurrences()]
    assert messages == ["", "ValueError: an even run"] * 2


def test_a_moved_task_is_run_once(view, database):
    task = view.enqueue(Count(soon(3600)))

    with running(database):
        view.until_counts(waiting=1)
        view.client.moveTask(task, soon(0.2))
        view.commit()
        view.until_counts(finished=1)

    assert view.root["count"] == 1


def test_a_task_enqueued_later_but_due_earlier_ends_first(view, database):
    late = view.enqueue(Count(soon(1)))

    with running(database):
        early = view.enqueue(Count(soon()))
        view.until_counts(finished=2)

    assert early.getEndedOn() < late.getEndedOn()


def test_a_unique_task_is_admitted_once(view, database):
    view.enqueue(UniqueTick(rrule.HOURLY, dtstart=soon(60)))
    view.enqueue(UniqueTick(rrule.HOURLY, dtstart=soon(60)))

    with running(database):
        view.until_counts(waiting=1)


def test_an_expired_task_is_terminated_and_never_counted_as_finished(view, database):
    task = view.enqueue(Count(soon(-10), expiryDate=soon(-5)))

    with running(database):
        view.until_counts(failed=1)

    assert repr(task).endswith("|TD]")
    assert "count" not in view.root


def test_a_dequeued_task_is_not_run(view, database):
    task = view.enqueue(Count(soon(0.5)))
    other = view.enqueue(Count(soon(0.5)))

    with running(database):
        view.client.dequeue(task)
        view.commit()
        view.until(lambda: other.getEndedOn())

    assert view.counts() == {"finished": 1}


def test_a_dequeued_running_task_is_let_end(view, database):
    task = view.enqueue(Sleep(soon(), 0.6))

    with running(database):
        view.until_counts(running=1)
        view.client.dequeue(task)
        view.commit()
        view.until_counts(finished=1)

    assert view.root["count"] == 1


def test_a_dequeued_running_periodic_task_does_not_come_back(view, database):
    task = view.enqueue(Tick(rrule.SECONDLY))

    with running(database):
        view.until(lambda: task.getOccurrences())
        view.client.dequeue(task)
        view.commit()
        view.until(lambda: "waiting" not in view.counts() and "spooled" not in view.counts())
        runs = len(task.getOccurrences())
        after = view.enqueue(Noop(soon(1.5)))
        view.until(lambda: after.getEndedOn())

    assert len(task.getOccurrences()) == runs


@both_modes
def test_a_shutdown_makes_run_return_zero(view, database, mode):
    run = Running(database, multitask_mode=mode)
    view.until(lambda: view.client.getStatus()["state"])
    view.client.shutdown("good night")
    view.commit()

    assert run.join() == 0
    status = view.status()
    assert (status["state"], status["hostname"], status["pid"]) == (False, None, None)


def test_a_shutdown_meant_for_an_earlier_scheduler_stops_nobody(view, database):
    view.client.shutdown("for nobody")
    view.enqueue(Count(soon()))

    with running(database) as run:
        view.until_counts(finished=1)
        assert run.is_alive()


def test_instructions_behind_a_shutdown_are_there_for_the_next_scheduler(view, database):
    run = Running(database)
    view.until(lambda: view.client.getStatus()["state"])
    view.client.shutdown()
    view.client.enqueue(Count(soon(1)))
    view.commit()
    run.join()

    with running(database):
        view.until_counts(finished=1)


def test_a_shutdown_waits_for_what_is_running(view, database, tmp_path):
    begun = tmp_path / "begun"
    view.enqueue(Sleep(soon(), 0.5, str(begun)))
    with running(database):
        view.until(begun.exists)

    assert view.counts() == {"finished": 1}


@both_modes
def test_a_task_longer_than_a_shutdown_waits_is_run_again_and_counts_once(view, database, mode):
    view.enqueue(Sleep(soon(), 2))
    with running(database, multitask_mode=mode, shutdown_timeout=0.1):
        view.until_counts(running=1)
    assert "count" not in view.root

    with running(database, multitask_mode=mode, task_max_tries=2):
        view.until_counts(finished=1)

    assert view.root["count"] == 1


def test_a_second_scheduler_of_a_database_is_refused(view, database):
    with running(database):
        view.until(lambda: view.client.getStatus()["state"])
        second = Running(database)
        second.join()

    assert isinstance(second.error, SchedulerException)
    assert str(os.getpid()) in str(second.error)


DEAD = """
import os, sys
from scheduler.leadership.lease import Election
from scheduler.store import open_database
with Election(open_database(sys.argv[1]), "dead") as candidacy:
    candidacy.seek(is_patient=False)
    os._exit(0)
"""


def test_a_state_left_by_a_dead_scheduler_does_not_stop_the_next_one(view, database, uri):
    with python(DEAD, uri) as process:
        process.wait(DEADLINE)
    assert view.status()["state"] is False

    view.enqueue(Count(soon()))
    with running(database):
        view.until_counts(finished=1)


def test_a_task_that_kills_its_worker_fails_and_the_others_are_run(view, database):
    view.enqueue(*(Count(soon()) for _ in range(20)), Die(soon()))

    with running(database, multitask_mode="processes"):
        view.until_counts(finished=20, failed=1)

    assert view.root["count"] == 20


def test_a_task_whose_worker_was_killed_is_tried_again(view, database, tmp_path):
    task = view.enqueue(DieOnce(soon(), str(tmp_path / "died")))

    with running(database, multitask_mode="processes", task_max_tries=2):
        view.until_counts(finished=1)

    assert view.root["count"] == 1
    assert [attempt.message for attempt in task.getAttempts()] == [
        "the worker died while it ran this task",
        "",
    ]


def test_a_killed_worker_is_noticed_within_seconds(view, database, tmp_path):
    pids = tmp_path / "pids"
    task = view.enqueue(Sleep(soon(), 60, str(pids)))

    with running(database, multitask_mode="processes"):
        view.until(lambda: pids.exists() and pids.read_text())
        os.kill(int(pids.read_text()), signal.SIGKILL)
        view.until(lambda: task.getEndedOn())

    assert view.counts() == {"failed": 1}


def test_one_long_task_does_not_hold_up_short_ones(view, database, tmp_path):
    with running(database, multitask_mode="processes"):
        view.enqueue(*(Noop(soon()) for _ in range(50)))
        view.until_counts(finished=50)
        view.enqueue(Wait(soon(), str(tmp_path / "go")), *(Noop(soon()) for _ in range(50)))
        view.until_counts(finished=100, running=1)
        (tmp_path / "go").touch()
        view.until_counts(finished=101)


def test_without_a_database_the_current_connections_is_used(view):
    scheduler = Scheduler(sleep_interval=0.1)
    view.enqueue(Count(soon()))
    view.client.shutdown()
    view.commit()

    assert scheduler.run() == 0
    assert view.counts() == {"waiting": 1}


SERVE = """
import sys
from scheduler import Scheduler
sys.exit(Scheduler(database=sys.argv[1], sleep_interval=0.5).run())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_shuts_a_scheduler_in_the_main_thread_down(tmp_path, number):
    file = tmp_path / "data.fs"
    uri = f"file://{file}"
    with python(SERVE, uri, stderr=subprocess.DEVNULL) as process:
        wait_for(file.exists)
        with connect(uri) as connection:
            wait_for(lambda: connection.sync() or Client(connection).getStatus()["state"])
        process.send_signal(number)
        assert process.wait(DEADLINE) == 0

    with connect(uri) as connection:
        assert Client(connection).getStatus()["state"] is False


def test_an_instruction_is_not_passed_over_because_the_database_is_away(view):
    module = SchedulerModule.getDBInstance(view.connection)
    with pytest.raises(ClientDisconnected):
        tick.Tick(module).instructions.perform(Instruction(ADD, Away(soon())))
    assert module.aside() == []
