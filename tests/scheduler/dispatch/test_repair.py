"""The scheduler's own data is damaged, one stored object after the other, and made anew.

Covers `scheduler.dispatch.repair`, `scheduler.shelves.damage`, `scheduler.store.overwrite`,
`scheduler.store.stored_objects`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import pytest
from persistent.mapping import PersistentMapping
from ZODB.utils import u64

from daemon.cli.main import main
from scheduler import Scheduler, SchedulerModule, nowutc
from scheduler.errors import DatabaseDamaged
from scheduler.leadership.roster import roster_of
from scheduler.shelves.damage import _within, is_own, roots
from scheduler.shelves.followers import followers_of
from scheduler.states import TASK_STATUS_QUEUED
from scheduler.store import open_database
from scheduler.tasks import OneShotTask, TaskGroup
from tests.scheduler.harness import View, running
from tests.scheduler.odd_tasks import Bound, Subject, damage
from tests.scheduler.sample_tasks import Count, Noop

SOAK = "SOAK" in os.environ
LATER = timedelta(days=1)
# Enough for several leaves below a node.
MANY = 90
CLAIMED, DUE = 3, 7
WAITING = 2 * MANY + 2
HOW = ("cut to a byte", "swapped with a mapping")
# A sixth of the nodes is enough, where the others are damaged by longer runs.
STEP = 1 if SOAK else 6


class Fails(OneShotTask):
    maxTries = 1

    def run(self):
        raise ValueError("as it is meant to")


class Mail(Noop):
    queueName = "mail"

    def uniqueKey(self):
        return f"mail {self.getId()}"


def own_objects(connection):
    """Return the ids of the stored objects of the shelves, the tasks apart."""
    found, pending = {}, list(roots(connection))
    while pending:
        obj = pending.pop()
        if obj._p_oid not in found:
            obj._p_activate()
            found[obj._p_oid] = None
            pending += [part for part in _within(obj.__getstate__()) if is_own(part)]
    return list(found)


class Stored:
    """A database with tasks on all shelves, of which copies are damaged."""

    def __init__(self, file):
        self.file = file
        self.copy = file.with_name("copy.fs")
        self.uri = f"file://{self.copy}"
        database = open_database(f"file://{file}")
        view = View(database)
        view.root["count"] = 0
        view.root["other"] = PersistentMapping()
        view.client.limitQueue("mail", 2)
        view.enqueue(*(kind(nowutc()) for kind in (Noop, Fails) for _ in range(MANY)))
        view.enqueue(*(kind(nowutc() + LATER) for kind in (Noop, Mail) for _ in range(MANY)))
        view.enqueue(Bound(Subject()))
        view.enqueue(first := Noop(nowutc() + LATER))
        view.client.enqueue(Noop(nowutc()), after=[first])
        view.client.enqueue(TaskGroup([Noop(nowutc())]), after=[first])
        view.commit()
        with running(database, workers=1):
            view.until_counts(waiting=WAITING, failed=MANY, finished=MANY + 1)
        module = SchedulerModule.getDBInstance(view.connection)
        for _ in range(CLAIMED):
            task = Count(nowutc())
            view.connection.add(task)
            task._status, task._queued_for = TASK_STATUS_QUEUED, nowutc().timestamp()
            module.running.add(task, nowutc().timestamp())
        module.queues.add(Count(nowutc()), nowutc().timestamp())
        view.enqueue(*(Count(nowutc()) for _ in range(DUE - CLAIMED - 1)))
        self.objects = own_objects(view.connection)
        followers = followers_of(view.connection)
        self.followers = [followers, followers._edges, followers._followers]
        self.followers = [each._p_oid for each in self.followers]
        self.other = view.root["other"]._p_oid
        view.close()
        database.close()

    def damaged(self, oid, how="cut to a byte"):
        """Open a copy in which one object is damaged."""
        for old in self.file.parent.glob("copy.fs*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copy(self.file, self.copy)
        database = open_database(self.uri)
        damage(database, oid, self.other, how)
        database.close()
        return open_database(self.uri)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Stored(tmp_path_factory.mktemp("repair") / "data.fs")


def outcome(database, *, closes=True):
    """Run a scheduler; return what has become of all tasks, and close the database."""
    view = View(database)
    with suppress(Exception):  # where the spool is damaged: that is noticed at once
        view.client.repair()
        view.commit()
    try:
        with running(database, workers=1) as run:
            view.until(lambda: view.root["count"] == DUE or not run.is_alive())
            assert run.error is None
            view.until(lambda: not {"running", "spooled"} & view.counts().keys())
        assert view.root["count"] == DUE
        return view.counts()
    finally:
        view.close()
        if closes:
            database.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("start", range(STEP, 0, -1) if SOAK else [0])
def test_each_object_of_the_shelves_is_made_anew_and_no_task_is_lost(stored, start):
    for number, oid in enumerate(stored.objects[start::STEP]):
        for how in HOW if SOAK else (HOW[number % len(HOW)],):
            counts = outcome(stored.damaged(oid, how))
            expected = {"waiting": WAITING, "failed": MANY, "finished": MANY + 1 + DUE}
            assert counts == expected, f"object {u64(oid):#x}, {how}"


@pytest.mark.parametrize("number", range(3))
def test_what_waits_for_others_waits_again(stored, number):
    database = stored.damaged(stored.followers[number])
    assert outcome(database, closes=False)["waiting"] == WAITING
    view = View(database)
    task = next(task for _, task in view.client._module.queues if task.isBlocked())
    first = task._after.steps()[0]
    view.client.moveTask(first, nowutc())
    view.commit()
    with running(database, workers=1):
        view.until_counts(waiting=WAITING - 2, failed=MANY, finished=MANY + DUE + 4)
    view.close()
    database.close()


def test_a_repair_is_one_line_of_the_log_that_names_object_parts_and_tasks(stored, caplog):
    claims = stored.objects[0]
    outcome(stored.damaged(claims))
    lines = [each for each in caplog.messages if "is repaired" in each]
    assert len(lines) == 1
    assert f"object {u64(claims):#x} (" in lines[0]
    assert "Made anew: " in lines[0]


def test_a_task_that_cannot_be_read_and_has_lost_its_place_is_a_dead_letter(view, database):
    view.root["count"] = 0
    view.root["other"] = PersistentMapping()
    module = SchedulerModule.getDBInstance(view.connection)
    tasks = [Count(nowutc()) for _ in range(3)]
    for task in tasks:
        view.connection.add(task)
        module.queues.add(task, nowutc().timestamp())
    view.commit()
    other = view.root["other"]._p_oid
    bins = module.getWaitingQueue()._bins._p_oid
    damage(database, bins, other, "cut to a byte")
    damage(database, tasks[0]._p_oid, other, "last byte lost")
    with running(database):
        view.until(lambda: view.root["count"] == 2)
    view.refresh()
    (aside,) = module.aside()
    assert aside.number == u64(tasks[0]._p_oid)
    assert aside.reason
    assert view.client.getStatus()["failed"] == 1


def test_a_limit_of_a_queue_outlives_the_damage_of_its_tasks(stored):
    database = stored.damaged(stored.objects[-1])
    with database.transaction() as connection:
        queues = SchedulerModule.getDBInstance(connection).backlog._queues._p_oid
    database.close()
    database = stored.damaged(queues)
    with running(database):
        view = View(database)
        view.until(lambda: view.root["count"] == DUE)
    ((limit, waiting, _),) = (
        SchedulerModule.getDBInstance(view.connection).backlog.queues().values()
    )
    view.close()
    database.close()
    assert (limit.at_once, waiting) == (2, MANY)


def test_a_queue_that_does_not_notice_is_repaired_by_the_command_that_the_error_names(
    stored, capsys
):
    database = stored.damaged(stored.objects[-1])
    with database.transaction() as connection:
        failed = SchedulerModule.getDBInstance(connection).getFailedIndex()._elements._p_oid
    database.close()
    stored.damaged(failed).close()

    def command(*words):
        status = main([*words, "--database", stored.uri])
        return status, capsys.readouterr()

    status, said = command("show", "failed")
    assert status == 1
    assert said.err.startswith(f"indico_scheduler: object {u64(failed):#x} (")
    assert len(said.err.splitlines()) == 1
    words = said.err.split("`")[1].split()
    assert words == ["indico_scheduler", "cmd", "repair"]
    assert command(*words[1:])[0] == 0
    database = open_database(stored.uri)
    view = View(database)
    with running(database):
        view.until(lambda: view.root["count"] == DUE)
        view.until_counts(waiting=WAITING, failed=MANY, finished=MANY + 1 + DUE)
    view.close()
    database.close()
    status, said = command("show", "failed")
    assert "as it is meant to" in said.out


def test_without_its_roster_it_names_the_command_that_restores_the_database(tmp_path):
    file, backup = tmp_path / "data.fs", tmp_path / "backup"
    backup.mkdir()
    database = open_database(f"file://{file}")
    with database.transaction() as connection:
        connection.root()["other"] = PersistentMapping()
        SchedulerModule.getDBInstance(connection)
        roster_of(connection)
    with database.transaction() as connection:
        roster, other = roster_of(connection)._p_oid, connection.root()["other"]._p_oid
    repozo = [sys.executable, "-m", "ZODB.scripts.repozo"]
    subprocess.run([*repozo, "-B", "-r", str(backup), "-f", str(file)], check=True)
    damage(database, roster, other, "cut to a byte")
    database.close()
    with pytest.raises(DatabaseDamaged, match=f"^object {u64(roster):#x} ") as refusal:
        Scheduler(database=f"file://{file}").run()
    command = str(refusal.value).split("`")[1].replace("BACKUP", str(backup)).split()
    assert command[0] == "repozo"
    subprocess.run([*repozo, *command[1:]], check=True)
    database = open_database(f"file://{file}")
    with running(database):
        pass
    database.close()
