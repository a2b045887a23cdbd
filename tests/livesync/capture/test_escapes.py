"""Changes of watched classes that were not recorded are found, told, and recorded afterwards.

Covers `livesync.capture.check`, `livesync.capture.escapes`, `daemon.watches.capture_alarm`.
"""

from __future__ import annotations

from contextlib import closing

import pytest
import transaction
import ZODB
from ZODB.MappingStorage import MappingStorage

from daemon.watches.capture_alarm import CaptureAlarm
from daemon.web.metrics import Metrics
from livesync import SyncManager
from livesync.capture.check import CaptureCheck
from livesync.capture.escapes import SCHEMA, Escape
from livesync.cli.main import main
from livesync.watching import install, unwatch, watch
from scheduler.storage.embedded_server import EmbeddedServer
from scheduler.store import open_database, transact
from tests.livesync.capture.test_watch import recorded, storage
from tests.livesync.shop import Book, Pencil, number_of
from tests.scheduler.harness import output_of
from tests.waiting import wait_for

# As a console of ZODB does it: no connection of this software.
AD_HOC = """
import sys, transaction, ZODB
from zodburi import resolve_uri
from tests.livesync.shop import Atlas, Book, Pencil
from scheduler.storage.postgres import open_postgres
uri = sys.argv[1]
storage = open_postgres(uri) if uri.startswith("postgresql") else resolve_uri(uri)[0]()
database = ZODB.DB(storage)
connection = database.open()
connection.root()["book"] = Book("7")
connection.root()["atlas"] = Atlas("8")
connection.root()["pencil"] = Pencil()
transaction.get().setUser("admin")
transaction.get().note("fix by hand")
transaction.commit()
connection.root()["pencil"].color = "blue"
transaction.commit()
database.close()
"""


@pytest.fixture(autouse=True)
def watched():
    watch(Book, identify=number_of)
    yield
    unwatch()


@pytest.mark.parametrize("kind", ["file", "zeo", "postgres"])
def test_a_change_committed_by_hand_is_told_and_recorded_afterwards(
    kind, tmp_path, request, caplog, capsys
):
    with storage(kind, tmp_path, request) as uri:
        with closing(open_database(uri)) as database:
            transact(database, lambda own: own.root().update(one=Book("1")))
        output_of(AD_HOC, uri)
        with closing(open_database(uri)) as database:
            CaptureCheck(database).alarm()
            CaptureCheck(database).alarm()
        (told,) = [text for text in caplog.messages if "not recorded" in text]
        assert "by user '/ admin' ('fix by hand')" in told
        assert "1 of tests.livesync.shop.Atlas, 1 of tests.livesync.shop.Book" in told
        assert "indico_livesync escaped --record" in told

        assert main(["--database", uri, "escaped"]) == 1
        assert main(["--database", uri, "escaped", "--record"]) == 0
        assert main(["--database", uri, "escaped"]) == 0
        assert "2 changes recorded\nno change escaped" in capsys.readouterr().out
        with closing(open_database(uri)) as database:
            own = database.open(transaction.TransactionManager())
            ids = [obj_id for obj_id, _ in recorded(own)]
            own.close()
        assert ids == ["isbn-1", "isbn-7", "isbn-8"]


def test_of_what_is_recorded_nothing_escapes(database, connection):
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()
    SyncManager.getDBInstance(connection).exclude(classes=[Book])
    connection.root()["book"].title = "hidden"
    connection.transaction_manager.commit()

    assert CaptureCheck(database).check() == []


def test_a_check_that_finds_nothing_writes_nothing(database, connection):
    connection.root()["pencil"] = Pencil()
    connection.transaction_manager.commit()
    before = database.lastTransaction()
    check = CaptureCheck(database)
    check.check()
    check.check()

    assert database.lastTransaction() == before


def test_a_change_before_its_class_was_watched_does_not_escape(database, connection):
    connection.root()["pencil"] = Pencil()
    connection.transaction_manager.commit()
    watch(Pencil)

    assert CaptureCheck(database).check() == []


def test_a_transaction_of_another_process_that_began_before_escapes(database, connection):
    connection.root()["pencil"] = Pencil()
    output_of(WATCH_PENCILS, database.uri)
    connection.transaction_manager.commit()
    (escape,) = CaptureCheck(database).check()

    assert [kind for _, kind in escape.objects] == ["tests.livesync.shop.Pencil"]


WATCH_PENCILS = """
import sys
from livesync.watching import watch
from scheduler.store import connect
from tests.livesync.shop import Pencil
with connect(sys.argv[1]):
    watch(Pencil)
"""


def test_an_object_that_is_gone_by_now_is_told(database, connection, capsys):
    connection.root()["book"] = Book("1")
    connection.transaction_manager.commit()
    transact(database, lambda own: SCHEMA.get(own).add([Escape(9, "", "", ((999, "a.B"),))], 9))
    assert main(["--database", database.uri, "escaped", "--record"]) == 0

    assert "objects 0x3e7 are gone" in capsys.readouterr().out


def test_a_storage_without_history_is_not_checked_and_that_is_told(caplog):
    database = ZODB.DB(MappingStorage())
    install(database)
    with database.transaction() as connection:
        connection.root()["book"] = Book("1")
    check = CaptureCheck(database)
    check.alarm()
    check.alarm()
    database.close()

    (told,) = caplog.messages
    assert "keeps no history" in told


def test_the_daemon_tells_at_once_what_escapes(database, connection, caplog, tmp_path):
    server = EmbeddedServer(database, f"{tmp_path}/server")
    alarm = CaptureAlarm(database, lambda: True)
    alarm.start()
    try:
        output_of(AD_HOC, f"zeo://{server.path}")
        wait_for(lambda: any("not recorded" in text for text in caplog.messages))
        assert "relay_escaped_transactions 1.0" in Metrics(database).text()
    finally:
        alarm.close()
        server.close()


def test_watched_classes_are_managed_from_the_command_line(database, capsys):
    command = ["--database", database.uri]
    name, function = "tests.livesync.shop:Pencil", "tests.livesync.shop:nothing_of"
    assert main([*command, "watch", name, "--identify", function]) == 0
    assert main([*command, "watched"]) == 0
    assert main([*command, "unwatch", name]) == 0
    assert main([*command, "unwatch", name]) == 1
    assert main([*command, "watch", "tests.livesync.shop:Pen"]) == 1
    assert main([*command, "watch", "tests.livesync.shop:number_of"]) == 1
    told = capsys.readouterr()
    assert f"{name}  {function}" in told.out
    assert "is not watched; watched are: tests.livesync.shop:Book" in told.err
    assert "no class is found as 'tests.livesync.shop:Pen'" in told.err
    assert "number_of cannot be watched: it is not persistent" in told.err


def test_the_daemon_tells_what_of_the_watched_classes_is_not_found(database, caplog, monkeypatch):
    monkeypatch.delattr("tests.livesync.shop.number_of")
    alarm = CaptureAlarm(database, lambda: True)
    alarm.start()
    try:
        wait_for(lambda: caplog.messages)
    finally:
        alarm.close()

    assert "watched class: tests.livesync.shop:number_of cannot be imported" in caplog.messages[0]
