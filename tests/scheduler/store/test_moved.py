"""Moved classes are found at their new paths, by the table, in every database."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import pytest
import transaction
import ZODB
from persistent import Persistent
from ZODB.Connection import resetCaches
from ZODB.FileStorage import FileStorage
from ZODB.utils import get_pickle_metadata

from export.app import make_app
from livesync import SyncManager
from livesync.objects.exclusion import Exclusion
from scheduler import Client, nowutc
from scheduler.store import transact
from scheduler.store.moved import MOVED, current_name, first_path, install
from scheduler.store.stored_state import class_of
from scheduler.tasks import OneShotTask, PeriodicUniqueTask
from tests.scheduler.harness import running
from tests.waiting import wait_for

OLD, NEW = "old_house", __name__


class Purse(Persistent):
    """Adds up what is put into it at the same time."""

    coins = 0

    def _p_resolveConflict(self, old, committed, new):  # noqa: N802 (ZODB's name)
        return {**new, "coins": committed["coins"] + new["coins"] - old.get("coins", 0)}


class Errand(OneShotTask):
    def run(self):
        return "done"


class Round(PeriodicUniqueTask):
    def run(self):
        pass


@pytest.fixture
def move(monkeypatch):
    """Let classes be at an old path until they are moved here."""
    old = ModuleType(OLD)
    monkeypatch.setitem(sys.modules, OLD, old)

    def at_the_old_path(*classes):
        for cls in classes:
            monkeypatch.setattr(cls, "__module__", OLD)
            setattr(old, cls.__name__, cls)

        def move():
            for cls in classes:
                monkeypatch.setattr(cls, "__module__", NEW)
                monkeypatch.delattr(old, cls.__name__)
                monkeypatch.setitem(MOVED, (OLD, cls.__name__), (NEW, cls.__name__))

        return move

    return at_the_old_path


def keep_moved_purse(database, move):
    """Store a purse at the old path of its class, then move that, and forget what is loaded."""
    make = move(Purse)
    transact(database, lambda own: own.root().update(purse=Purse()))
    make()
    resetCaches()


def open_view(database):
    manager = transaction.TransactionManager()
    return database.open(transaction_manager=manager), manager


def stored_class(connection, obj):
    return get_pickle_metadata(connection._storage.load(obj._p_oid)[0])


def test_a_moved_class_is_loaded_and_written_at_its_new_path(database, move):
    keep_moved_purse(database, move)
    connection, manager = open_view(database)
    purse = connection.root()["purse"]
    assert type(purse) is Purse
    assert stored_class(connection, purse) == (OLD, "Purse")
    purse.coins = 3
    manager.commit()
    assert stored_class(connection, purse) == (NEW, "Purse")
    connection.close()


def test_concurrent_changes_of_a_moved_object_are_resolved(database, move):
    keep_moved_purse(database, move)
    (one, first), (other, second) = open_view(database), open_view(database)
    one.root()["purse"].coins += 1
    other.root()["purse"].coins += 2
    first.commit()
    second.commit()
    assert other.root()["purse"].coins == 3
    one.close()
    other.close()


def test_an_object_whose_class_is_not_in_the_table_stays_broken(database, move):
    keep_moved_purse(database, move)
    del MOVED[OLD, "Purse"]
    connection, _ = open_view(database)
    assert type(connection.root()["purse"]) is not Purse
    connection.close()


def used_by_a_client(database):
    transact(database, Client)


def used_by_the_feed(database):
    transact(database, SyncManager.getDBInstance)


def used_by_the_export(database):
    make_app(database, {}).close()


def used_by_a_scheduler(database):
    with running(database) as run:
        wait_for(lambda: run.scheduler.leads)


@pytest.mark.parametrize(
    "use", [used_by_a_client, used_by_the_feed, used_by_the_export, used_by_a_scheduler]
)
def test_an_application_s_own_database_finds_moved_classes_once_it_is_used(tmp_path, move, use):
    database = ZODB.DB(FileStorage(str(tmp_path / "own.fs")))
    keep_moved_purse(database, move)
    opened, _ = open_view(database)
    use(database)
    assert type(opened.root()["purse"]) is Purse
    opened.close()
    database.close()


def test_an_application_s_own_class_factory_is_asked_with_the_new_path(move):
    asked = []

    def find(connection, module, name):
        asked.append((module, name))
        return getattr(import_module(module), name)

    database = ZODB.DB(None, class_factory=find)
    keep_moved_purse(database, move)
    install(database)
    install(database)
    asked.clear()
    connection, _ = open_view(database)
    connection.root()["purse"].coins  # noqa: B018 (it is loaded)
    assert (NEW, "Purse") in asked
    assert (OLD, "Purse") not in asked
    connection.close()
    database.close()


def test_a_task_of_a_moved_class_that_waits_is_run(relay, move):
    make = move(Errand)
    task = Errand(nowutc())
    relay.enqueue(task)
    make()
    relay.connection.cacheMinimize()
    (ran,) = relay.run_due()
    assert ran.getResult() == "done"


def test_a_unique_task_of_a_moved_class_keeps_its_key(move):
    make = move(Round)
    before = Round(0).uniqueKey()
    make()
    assert Round(0).uniqueKey() == before == f"{OLD}.Round"
    assert first_path(Errand) == (NEW, "Errand")


def test_history_names_the_present_path_of_a_moved_class(database, move):
    keep_moved_purse(database, move)
    connection, _ = open_view(database)
    purse = connection.root()["purse"]
    assert class_of(connection._storage.load(purse._p_oid)[0]) == (NEW, "Purse")
    connection.close()


def test_an_excluded_class_stays_excluded_when_it_moves(move):
    make = move(Purse)
    excluded = Exclusion.of((), [Purse], ())
    make()
    assert excluded.excludes(Purse())
    assert current_name(f"{OLD}:Purse") == f"{NEW}:Purse"
    assert current_name("plain") == "plain"


def test_each_entry_of_the_table_leads_to_a_class_that_is_there():
    for module, name in MOVED.values():
        assert (module, name) not in MOVED, f"{module}.{name} has moved on: write where to"
        assert getattr(import_module(module), name, None) is not None, f"{module}.{name} is gone"
