"""What a task says of itself while it runs, and what is said of it when its worker is lost."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from dateutil import rrule

from scheduler import TASK_STATUS_FINISHED, TASK_STATUS_NONE, Client, nowutc
from scheduler.executors import Lost
from scheduler.inbox.claims import Claim
from scheduler.shelves.module import SchedulerModule
from scheduler.store import transact
from scheduler.tasks import OneShotTask, PeriodicTask
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Count, count

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


class DequeueItself(OneShotTask):
    def run(self):
        count("count")
        Client().dequeue(self)


class DequeueItselfAgainAndAgain(PeriodicTask):
    def run(self):
        count("count")
        Client().dequeue(self)


class LogBadly(OneShotTask):
    def __init__(self, start, *line):
        super().__init__(start)
        self.line = line

    def run(self):
        self.getLogger().info(*self.line)
        count("count")


class Unshown:
    def __repr__(self):
        raise ValueError("no name")


@both_modes
def test_a_task_that_dequeues_itself_ends_with_its_run_on_record(view, database, mode):
    task = view.enqueue(DequeueItself(nowutc()))
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=2)
    assert view.client.getTask(task.getId()).getStatus() == TASK_STATUS_FINISHED
    assert view.root["count"] == 2


@both_modes
def test_a_recurring_task_that_dequeues_itself_does_not_come_back(view, database, mode):
    task = view.enqueue(DequeueItselfAgainAndAgain(rrule.SECONDLY))
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
        view.until(lambda: task.getStatus() == TASK_STATUS_NONE)
    assert view.root["count"] == 1
    assert len(task.getOccurrences()) == 1


def test_another_task_that_has_ended_is_deleted(view, database):
    task = view.enqueue(Count(nowutc()))
    with running(database):
        view.until_counts(finished=1)
        view.client.dequeue(task)
        view.commit()
        view.until_counts()


@pytest.mark.parametrize(
    "line", [("bad %d", "x"), ("too many", 1), ("%s %s", 1), (b"%z",), ("%d", Unshown())]
)
def test_a_line_of_the_log_that_is_none_fails_nobody(view, database, line):
    task = view.enqueue(LogBadly(nowutc(), *line))
    with running(database, multitask_mode="processes"):
        view.until_counts(finished=1)
    kept = "\n".join(task.getAttempts()[0].log)
    assert str(line[0]) in kept or repr(line[0]) in kept


def test_of_several_tasks_of_a_lost_worker_none_is_named_as_the_one_that_ran():
    claims = [Claim(number, number, 0.0) for number in range(3)]
    assert {lost.why for lost in Lost.all_of(claims)} == {
        "the worker died while it ran this task, or one of 2 others"
    }


def test_of_several_tasks_of_a_lost_scheduler_it_is_said_that_they_may_have_waited(view, database):
    tasks = [Count(nowutc() + timedelta(days=1)) for _ in range(2)]
    view.enqueue(*tasks)
    with running(database):
        view.until_counts(waiting=2)

    def give_out(connection):
        module = SchedulerModule.getDBInstance(connection)
        for task in module.getWaitingQueue().pop_due(nowutc().timestamp() + 1e6, 2):
            module.running.add(task, nowutc().timestamp())

    transact(database, give_out)
    with running(database):
        view.until_counts(finished=2)
    assert {task.getAttempts()[0].message for task in tasks} == {
        "the scheduler ended while this task ran, or waited for its worker"
    }


SCRIPT = """
import sys, transaction
from enum import Enum
from persistent import Persistent
from scheduler import Client, nowutc
from scheduler.store import connect
from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import Count, Raise

class Mine(OneShotTask):
    def run(self):
        pass

class Color(Enum):
    RED = 1

class Thing(Persistent):
    pass

def holding(value):
    task = Count(nowutc())
    task.value = value
    return task

with connect(sys.argv[1]) as connection:
    client = Client(connection)
    for enqueue in (
        lambda: client.enqueue(Mine(nowutc())),
        lambda: client.enqueue(holding([Color.RED])),
        lambda: client.enqueue(holding(Color.RED)),
        lambda: client.enqueue(holding(Thing())),
        lambda: client.call(print, Color.RED),
        lambda: client.call(print, Thing()),
        lambda: client.call(print, Mine),
    ):
        try:
            enqueue()
        except TypeError as error:
            print(error)
"""


def test_a_class_of_the_script_itself_is_not_enqueued(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"file://{tmp_path}/data.fs"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    names = ("Mine", "Color", "Color", "Thing", "Color", "Thing", "Mine")
    assert done.stdout.splitlines() == [
        f"{name} is defined in the script that runs: move it to a module that workers import"
        for name in names
    ]
