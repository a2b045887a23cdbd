"""A watched class that was moved, renamed or removed goes on under the name it was watched by."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest
import transaction
from persistent import Persistent
from ZODB.Connection import resetCaches

from livesync.capture.listeners import ObjectChangeListener
from livesync.watching import unwatch, watch
from scheduler.store import using
from scheduler.store.moved import MOVED
from tests.livesync.recorded import kinds, recorded
from tests.livesync.shop import (
    Pencil,
)
from tests.scheduler.harness import output_of

HERE = __name__

RENAMED = """
import sys, transaction
from scheduler.store import connect
import new_shop
with connect(sys.argv[1]) as connection:
    connection.root()["new"] = new_shop.Volume()
    transaction.commit()
"""


@pytest.fixture(autouse=True)
def watched_by_itself():
    yield
    unwatch()


@pytest.fixture
def old_shop(connection, monkeypatch):
    """The module in which the class of a stored pencil was; its name leads to the class still."""
    old = ModuleType("old_shop")
    monkeypatch.setitem(sys.modules, "old_shop", old)
    monkeypatch.setattr(Pencil, "__module__", "old_shop")
    old.Pencil = Pencil
    watch(Pencil)
    connection.root()["pencil"] = Pencil()
    connection.transaction_manager.commit()
    monkeypatch.setattr(Pencil, "__module__", "tests.livesync.shop")
    return old


def test_a_class_that_has_moved_goes_on_under_its_name(connection, monkeypatch, old_shop):
    monkeypatch.delattr(old_shop, "Pencil")
    monkeypatch.setitem(MOVED, ("old_shop", "Pencil"), ("tests.livesync.shop", "Pencil"))
    change_in_new_tables(connection)

    assert kinds(connection) == {"old_shop.Pencil"}
    assert len(recorded(connection)) == 2


def test_a_class_that_was_renamed_goes_on_under_its_name(connection, old_shop):
    change_in_new_tables(connection)

    assert kinds(connection) == {"old_shop.Pencil"}
    assert len(recorded(connection)) == 2


def change_in_new_tables(connection):
    from livesync.objects import watched_classes

    watched_classes._newest.clear()
    connection.cacheMinimize()
    connection.root()["pencil"].color = "blue"
    connection.transaction_manager.commit()


class Gone(Persistent):
    pass


def test_an_object_of_a_class_that_is_gone_is_recorded_by_its_stored_name(
    database, connection, monkeypatch
):
    watch(Gone)
    connection.root()["gone"] = Gone()
    connection.transaction_manager.commit()
    monkeypatch.delattr(sys.modules[HERE], "Gone")
    resetCaches()
    other = database.open(transaction.TransactionManager())
    with using(other):
        ObjectChangeListener().deleted(other.root()["gone"], other.root())
        del other.root()["gone"]
    other.transaction_manager.commit()

    assert kinds(connection) == {f"{HERE}.Gone"}
    assert [actions for _, actions in recorded(connection)] == ["created", "deleted"]
    other.close()


def test_a_class_is_followed_by_the_renames_that_packages_tell_zodbupdate(
    database, connection, tmp_path, monkeypatch
):
    (tmp_path / "old_shop.py").write_text(
        "from persistent import Persistent\nclass Book(Persistent): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    watch(__import__("old_shop").Book)
    (tmp_path / "old_shop.py").unlink()
    (tmp_path / "new_shop.py").write_text(
        "from persistent import Persistent\nclass Volume(Persistent): pass\n"
        "RENAMES = {'old_shop Book': 'new_shop Volume'}\n"
    )
    info = tmp_path / "new_shop-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: new_shop\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[zodbupdate]\nrenames = new_shop:RENAMES\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.getcwd()}")
    output_of(RENAMED, database.uri)

    connection.transaction_manager.abort()
    assert kinds(connection) == {"old_shop.Book"}
    sys.modules.pop("old_shop")
