"""Watched classes are kept in the database, and watched in all processes that open it.

Covers `scheduler.store.observed`, `scheduler.store.read_view`, `livesync.capture.watch`,
`livesync.capture.recorder`, `livesync.objects.watched_class`, `livesync.objects.watched_classes`,
`livesync.cli.capture`.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from io import BytesIO

import pytest
import transaction
import ZODB
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.FileStorage import FileStorage
from ZODB.MappingStorage import MappingStorage

from livesync import ActionWrapper, SyncManager
from livesync.capture.listeners import ObjectChangeListener
from livesync.errors import IdentifyException, WatchException
from livesync.objects.watched_classes import SCHEMA, table_of
from livesync.records.reduction import STATUS_DELETED, reduce
from livesync.watching import install, unwatch, watch
from scheduler import nowutc
from scheduler.store import open_database, transact
from scheduler.store.read_view import read_view
from tests.faults.processes import serving
from tests.livesync.recorded import kinds, recorded
from tests.livesync.shop import (
    Atlas,
    Book,
    Buy,
    Pencil,
    fails_on,
    nothing_of,
    number_of,
)
from tests.scheduler.harness import View, output_of, running

HERE = __name__

ENTER = """
import sys
import tests.livesync.shop_watch
from scheduler.store import connect
with connect(sys.argv[1]):
    pass
"""
CHANGE = """
import sys, transaction
from scheduler.store import connect
from tests.livesync.shop import Book
with connect(sys.argv[1]) as connection:
    connection.root()["script"] = Book(sys.argv[2])
    transaction.commit()
print([name for name in sys.modules if name.endswith("shop_watch")])
"""


@pytest.fixture(autouse=True)
def watched_by_itself():
    yield
    unwatch()


@contextmanager
def storage(kind, tmp_path, request):
    """Yield the URI of a new database of *kind*."""
    if kind == "file":
        yield f"file://{tmp_path}/data.fs"
    elif kind == "postgres":
        yield request.getfixturevalue("postgres_uri")
    else:
        port = request.getfixturevalue("free_port")
        with serving(tmp_path / "zeo.fs", port):
            yield f"zeo://127.0.0.1:{port}?wait_timeout=10"


@pytest.mark.parametrize("kind", ["file", "zeo", "postgres"])
def test_scripts_and_workers_record_what_another_process_has_entered(kind, tmp_path, request):
    with storage(kind, tmp_path, request) as uri, closing(open_database(uri)) as database:
        view = View(database)
        with running(database, multitask_mode="processes"):
            view.enqueue(Buy(nowutc(), "0"))
            view.until_counts(finished=1)
            output_of(ENTER, uri)
            view.enqueue(Buy(nowutc(), "1"))
            assert output_of(CHANGE, uri, "2") == "[]"
            view.until_counts(finished=2)
        assert recorded(view.connection) == [("isbn-1", "created"), ("isbn-2", "created")]
        view.close()


def test_a_class_that_is_entered_already_is_not_written_again(database):
    watch(Book, identify=number_of)
    before = database.lastTransaction()
    watch(Book, identify=number_of)
    with closing(open_database(database.uri)):
        pass

    assert database.lastTransaction() == before


def test_a_class_is_watched_before_any_database_is_open(tmp_path):
    watch(Book)
    with (
        closing(open_database(f"file://{tmp_path}/other.fs")) as database,
        read_view(database) as view,
    ):
        assert [each.name for each in SCHEMA.get(view)] == ["tests.livesync.shop:Book"]


def test_a_class_that_is_watched_no_more_is_removed_from_the_database(database, connection):
    watch(Book)
    unwatch(Book)
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()

    assert recorded(connection) == []


def test_a_transaction_that_began_before_is_recorded_too(connection):
    watch(Pencil)
    connection.root()["book"] = Book("1")
    watch(Book, identify=number_of)
    connection.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created")]


def test_an_application_that_opens_its_database_itself_installs_recording(tmp_path):
    watch(Book, identify=number_of)
    database = ZODB.DB(FileStorage(f"{tmp_path}/own.fs"))
    install(database)
    connection = database.open()
    connection.root()["book"] = Book("1")
    transaction.commit()
    other = database.open(transaction.TransactionManager())
    other.root()["book"].title = "new"
    other.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created"), ("isbn-1", "data_changed")]
    database.close()


def test_other_databases_of_the_process_are_left_alone():
    watch(Book)
    assert ZODB.DB.klass is Connection
    database = ZODB.DB(MappingStorage())
    with database.transaction() as connection:
        connection.root()["book"] = Book("1")
    with database.transaction() as connection:
        assert list(connection.root()) == ["book"]
    database.close()


def test_connections_of_a_class_of_the_application_record_too():
    class Counting(Connection):
        commits = 0

        def commit(self, transaction):
            self.commits += 1
            super().commit(transaction)

    watch(Book, identify=number_of)
    database = ZODB.DB(MappingStorage())
    database.klass = Counting
    install(database)
    connection = database.open(transaction.TransactionManager())
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created")]
    assert isinstance(connection, Counting)
    assert connection.commits
    database.close()


def test_an_explicit_deletion_is_known_by_the_id_that_it_is_watched_by(connection):
    watch(Book, identify=number_of)
    connection.root()["book"] = book = Book("1")
    connection.transaction_manager.commit()
    ObjectChangeListener().deleted(book, connection.root())
    ObjectChangeListener().created(Book("2"), connection.root())
    connection.transaction_manager.commit()

    known = {obj_id for obj_id, _ in recorded(connection)}
    assert known - {"0"} == {"isbn-1", "isbn-2"}  # and the root, which held both


def test_a_change_whose_function_is_not_found_here_gets_its_id_when_it_is_sent(
    database, connection, monkeypatch, caplog
):
    watch(Book, identify=number_of)
    with monkeypatch.context() as elsewhere:
        elsewhere.delattr("tests.livesync.shop.number_of")
        connection.root()["book"] = book = Book("1")
        connection.transaction_manager.commit()
        data = list(SyncManager.getDBInstance(connection).getTrack())
        with pytest.raises(WatchException, match=r"shop:number_of cannot be imported"):
            list(reduce(data))
    ((obj, obj_id, _),) = reduce(data)

    assert (obj, obj_id) == (book, "isbn-1")
    assert "changes are recorded without an id" in caplog.text


@pytest.mark.parametrize(
    ("function", "complaint"),
    [(nothing_of, "returned None for an object"), (fails_on, "ZeroDivisionError: no number")],
)
def test_a_function_that_identifies_nothing_ends_the_commit(connection, function, complaint):
    watch(Book, identify=function)
    connection.root()["pencil"] = Pencil()
    connection.root()["book"] = Book("1")
    with pytest.raises(IdentifyException, match=complaint):
        connection.transaction_manager.commit()
    connection.transaction_manager.abort()

    assert list(connection.root()) == ["relay"]
    assert recorded(connection) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((int,), "int cannot be watched: it is not persistent"),
        ((Book(1),), "cannot be watched: it is not persistent"),
        ((Book, lambda book: 1), "is not found by its name: define it in a module"),
        ((Book, "tests.livesync.shop:nowhere"), "shop:nowhere cannot be imported"),
        ((Book, 3), "identify is 3; give a function"),
        ((type("Local", (Persistent,), {}),), "Local is not found by its name"),
    ],
)
def test_a_class_that_cannot_be_watched_is_refused_with_the_remedy(database, arguments, complaint):
    kind, *function = arguments
    with pytest.raises(WatchException, match=complaint):
        watch(Pencil, kind, **({"identify": function[0]} if function else {}))
    with read_view(database) as view:
        assert table_of(view).classes == ()


def test_a_class_is_not_watched_in_two_ways():
    watch(Book, identify=number_of)
    with pytest.raises(WatchException, match="is watched already, identified by tests"):
        watch(Book)


def test_another_function_than_the_stored_one_takes_its_place(database, connection, caplog):
    watch(Book)
    transact(database, lambda own: SCHEMA.get(own))
    from livesync.capture import watch as room

    room._watched.clear()  # as in the next process
    watch(Book, identify=number_of)
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created")]
    assert "from now on" in caplog.text


def test_things_of_one_id_are_told_apart_by_their_kinds(connection):
    watch(Book, identify="tests.livesync.shop:plain_number")
    connection.root()["book"] = Book("3")
    connection.transaction_manager.commit()
    manager = SyncManager.getDBInstance(connection)
    ObjectChangeListener().deleted(connection.root()["book"], connection.root())
    manager.add(100, ActionWrapper(100, None, {"deleted"}, "3"))
    connection.transaction_manager.commit()
    records = list(reduce(manager.getTrack()))

    assert {record.identity for record in records} == {"3", "tests.livesync.shop.Book:3"}
    assert all(record[2] & STATUS_DELETED for record in records)


def test_subclasses_are_known_by_their_own_names(connection):
    watch(Book, identify=number_of)
    connection.root()["atlas"] = Atlas("9")
    connection.transaction_manager.commit()

    assert kinds(connection) == {"tests.livesync.shop.Atlas"}


def test_an_object_that_is_added_to_the_connection_is_recorded(connection):
    watch(Book, identify=number_of)
    connection.add(book := Book("1"))
    connection.root()["book"] = book
    connection.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created")]


def test_an_object_imported_from_a_file_is_recorded(connection):
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()
    file = connection.exportFile(connection.root()["book"]._p_oid, BytesIO())
    watch(Book, identify=number_of)
    file.seek(0)
    connection.root()["copy"] = connection.importFile(file)
    connection.transaction_manager.commit()

    assert recorded(connection) == [("isbn-1", "created")]


def test_a_first_change_of_all_is_recorded_by_an_announcement(connection):
    """The manager is created by the transaction that changes something, and has no place yet."""
    connection.root()["book"] = book = Book("1")
    connection.add(book)
    ObjectChangeListener().created(book, connection.root())
    connection.transaction_manager.commit()

    assert len(recorded(connection)) == 2
