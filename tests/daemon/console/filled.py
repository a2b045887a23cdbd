"""Databases with very many tasks: long names, failures with long texts, queues and odd characters.

What is in them waits for years or has ended, so that a daemon on one has nothing to do.
"""

from __future__ import annotations

import shutil
from datetime import timedelta

import transaction

from scheduler import Client, nowutc, task
from scheduler.shelves.module import SchedulerModule
from scheduler.states import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_SPOOLED,
)
from scheduler.store import open_database
from scheduler.store.read_view import read_view
from scheduler.tasks import OneShotTask
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.call import call_of
from scheduler.tasks.handle import TaskHandle

BATCH = 5000
YEARS = timedelta(days=3000)
LONG = "the server at backend-17.internal.example.org said: " + "no room on the device, " * 20
ODD = "\udc80 half \x00 \u202e<b>bold</b> Übergrößenträger 日本語"
WORD = "x" * 300
TRACE = "Traceback (most recent call last):\n" + '  File "/srv/app/job.py", line 7, in run\n' * 12
LOG = tuple(f"2026-11-30 12:00:{line:02} INFO copied part {line} of {WORD}" for line in range(3))
REASONS = (f"OSError: {LONG}", f"ValueError: {ODD}", f"KeyError: {WORD}", "no luck")


class Rest(OneShotTask):
    def run(self):
        pass


@task
def copy(number: int) -> int:
    return number


@task(maxTries=1)
def spoil(text: str) -> None:
    raise ValueError(text)


@task(queueName="outbox")
def post(address: str) -> None:
    pass


def fill(uri, number):
    """Put *number* tasks into the database at *uri*: some that wait, most that have ended."""
    database = open_database(uri)
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    now = nowutc()
    for index in range(number):
        PUT[index % len(PUT)](connection, now, index)
        if index % BATCH == 0:
            manager.commit()
            connection.cacheMinimize()
    manager.commit()
    connection.close()
    database.close()


def copied(source, target):
    """Copy the database in the folder *source* to the folder *target*."""
    for file in source.glob("data.fs*"):
        if file.is_file():
            shutil.copy(file, target)


def _wait(connection, now, index):
    one = Rest(now + YEARS + timedelta(seconds=index * 7 % 1_000_003))
    connection.add(one)
    SchedulerModule.getDBInstance(connection).queue(one)


def _fail(connection, now, index):
    reason = REASONS[index % len(REASONS)]
    ended = now - timedelta(days=2, seconds=index)
    began = ended - timedelta(seconds=index % 100)
    attempt = Attempt(
        1, began, ended, TASK_STATUS_FAILED, reason, TRACE + reason, "process-0/1", "2.7", LOG
    )
    one = _called(connection, now, spoil, ODD if index % 3 else LONG)
    TaskHandle(one).end(attempt)
    _shelve(connection, one, attempt)


def _finish(connection, now, index):
    ended = now - timedelta(days=2, seconds=index)
    attempt = Attempt(1, ended, ended, TASK_STATUS_FINISHED)
    one = _called(connection, now, copy, index)
    TaskHandle(one).finish(attempt, index)
    _shelve(connection, one, attempt)


def _abort(connection, now, index):
    ended = now - timedelta(days=2, seconds=index)
    attempt = Attempt(1, ended, ended, TASK_STATUS_ABORTED, "cancelled by ann")
    one = _called(connection, now, post, f"{WORD}{index}@example.org")
    TaskHandle(one).end(attempt)
    _shelve(connection, one, attempt)


def _called(connection, now, function, argument):
    called = call_of(now, function, (argument,), {})
    connection.add(called)
    TaskHandle(called).set_status(TASK_STATUS_SPOOLED)
    return called


def _shelve(connection, ended, attempt):
    SchedulerModule.getDBInstance(connection).shelve(ended, attempt.ended, attempt.state)


PUT = (_wait, _fail, _finish, _abort, _finish)


def counts(database):
    """Return the numbers of tasks by their states."""
    with read_view(database) as connection:
        return Client(connection).getStatus()
