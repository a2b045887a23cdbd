"""Tasks whose class is no class of persistent objects any more disturb no other."""

from __future__ import annotations

import sys

import pytest

from scheduler import SchedulerModule
from scheduler.inbox.spool import spool_of
from scheduler.store import open_database
from tests.scheduler.harness import View, output_of, running, viewing

ALARM = """
from scheduler.store import current
from scheduler.tasks import OneShotTask

class Ring(OneShotTask):
    def run(self):
        root = current().root()
        root["rung"] = root.get("rung", 0) + 1

class Base(OneShotTask):
    pass

class Lamp(Base):
    def run(self):
        pass
"""
ENQUEUE = """
import sys, transaction
sys.path.insert(0, sys.argv[2])
from scheduler import Client, nowutc
from scheduler.store import connect
import alarm
with connect(sys.argv[1]) as connection:
    Client(connection).enqueueAll(
        kind(nowutc()) for kind in (alarm.Ring, alarm.Lamp, alarm.Ring)
    )
    transaction.commit()
"""
RAISING = "class Lamp(Base):\n    def {}(self, *_):\n        raise {}(3)\n"
RELEASES = {
    "a function": "def Lamp(*args):\n    pass\n",
    "a plain class": "class Lamp:\n    pass\n",
    "a value": "Lamp = 3\n",
    "a class without the base of tasks": "class Base:\n    pass\nclass Lamp(Base):\n    pass\n",
}
EXITING = {
    "an exit at loading": RAISING.format("__setstate__", "SystemExit"),
    "a generator's exit at loading": RAISING.format("__setstate__", "GeneratorExit"),
    "an exit at its date": RAISING.format("getStartOn", "SystemExit"),
    "an exit at its key": RAISING.format("limitKey", "SystemExit"),
}


@pytest.fixture(params=RELEASES)
def release(request):
    return RELEASES[request.param]


@pytest.fixture
def alarm(release, tmp_path, monkeypatch):
    """The address of a database with three tasks, one of a class that a release has replaced."""
    uri, module = f"file://{tmp_path}/data.fs", tmp_path / "alarm.py"
    module.write_text(ALARM)
    output_of(ENQUEUE, uri, tmp_path)
    module.write_text(ALARM + release)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "alarm", raising=False)
    return uri


@pytest.fixture
def view(alarm):
    with viewing(open_database(alarm)) as view:
        yield view


def test_the_other_instructions_of_the_page_are_read(view):
    assert [op for op, _ in spool_of(view.connection)] == ["add"] * 3


def test_the_task_is_quarantined_and_the_others_are_run(view):
    with running(view.connection.db()):
        view.until_counts(failed=1, finished=2)
    (aside,) = SchedulerModule.getDBInstance(view.connection).aside()
    assert aside.reason.endswith("is no class of persistent objects any more")
    assert view.root["rung"] == 2


@pytest.mark.parametrize("release", EXITING.values(), ids=EXITING)
def test_an_exit_in_the_code_of_a_task_does_not_end_the_scheduler(view):
    with running(view.connection.db()):
        view.until_counts(failed=1, finished=2)
    (aside,) = SchedulerModule.getDBInstance(view.connection).aside()
    assert "Exit: 3" in aside.reason


@pytest.mark.parametrize("is_retried", [False, True])
def test_the_task_is_run_when_its_class_is_back(alarm, tmp_path, is_retried):
    database = open_database(alarm)
    with running(database):
        View(database).until_counts(failed=1, finished=2)
    database.close()
    (tmp_path / "alarm.py").write_text(ALARM)
    del sys.modules["alarm"]
    database = open_database(alarm)
    view = View(database)
    if is_retried:
        (aside,) = SchedulerModule.getDBInstance(view.connection).aside()
        view.client.startFailedTask(aside.obj)
        view.commit()
    with running(database):
        view.until_counts(finished=3)
    view.close()
    database.close()


def test_a_retry_with_the_wrong_code_leaves_it_where_it_is(view):
    module = SchedulerModule.getDBInstance(view.connection)
    with running(view.connection.db()):
        view.until_counts(failed=1, finished=2)
        (aside,) = module.aside()
        view.client.startFailedTask(aside.obj)
        view.commit()
        view.until(lambda: not view.counts().get("spooled"))
        assert view.counts() == {"failed": 1, "finished": 2}
        view.client.dequeue(aside.obj)
        view.commit()
        view.until_counts(finished=2)
