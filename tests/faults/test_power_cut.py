"""The power is cut under a scheduler, whose ticks do not wait for the disk."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import closing

from persistent.list import PersistentList

from scheduler import Client, nowutc
from scheduler.inbox.claims import running_list
from scheduler.store import current, open_database, transact
from scheduler.tasks import OneShotTask
from tests.disk import Disk
from tests.scheduler.harness import running
from tests.waiting import DEADLINE, wait_for

TASKS = 10


class Append(OneShotTask):
    """Appends its number to the root's `done`; it may be begun anew, should that be lost."""

    number, maxTries = 0, 3

    def run(self):
        current().root()["done"].append(self.number)


class HeldOnce(OneShotTask):
    """Has one try, and is held until it is let go."""

    maxTries = 1
    begun, let_go = threading.Event(), threading.Event()

    def run(self):
        self.begun.set()
        self.let_go.wait(60)


def enqueue(connection, *tasks):
    for task in tasks:
        Client(connection).enqueue(task)


def numbered(number):
    task = Append(nowutc())
    task.number = number
    return task


def done(connection):
    return list(connection.root().get("done", ()))


def finished(connection):
    return Client(connection).getStatus()["finished"]


def after_cut(path, disk):
    """Open the database that is left of the one at *path* when the power is cut now."""
    left = path.with_name("left.fs")
    shutil.copyfile(path, left)
    os.truncate(left, disk.synced)
    return open_database(f"file://{left}")


def test_tasks_whose_ticks_are_lost_in_a_power_cut_take_effect_once_all_the_same(
    tmp_path, monkeypatch
):
    disk = Disk(tmp_path / "data.fs", monkeypatch)
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        transact(database, lambda own: own.root().update(done=PersistentList()))
        for number in range(TASKS):
            transact(database, lambda own, number=number: enqueue(own, numbered(number)))
        with running(database, multitask_mode="threads", workers=2):
            wait_for(lambda: len(transact(database, done)) == TASKS)
            left = after_cut(tmp_path / "data.fs", disk)
    with closing(left):
        assert transact(left, finished) < TASKS
        with running(left, multitask_mode="threads", workers=2):
            wait_for(lambda: transact(left, finished) == TASKS)
        assert sorted(transact(left, done)) == list(range(TASKS))


def test_a_task_with_one_try_begins_when_its_claim_is_on_the_disk(tmp_path, monkeypatch):
    disk = Disk(tmp_path / "data.fs", monkeypatch)
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        transact(database, lambda own: enqueue(own, HeldOnce(nowutc())))
        with running(database, multitask_mode="threads", workers=1):
            assert HeldOnce.begun.wait(DEADLINE)
            left = after_cut(tmp_path / "data.fs", disk)
            HeldOnce.let_go.set()
    with closing(left):
        assert transact(left, lambda own: len(running_list(own))) == 1
