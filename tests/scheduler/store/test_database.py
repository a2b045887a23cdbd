"""Opening databases, and the current connection.

Covers `scheduler.store.current`, `scheduler.store.database` and `scheduler.store.database_uri`.

Covers `scheduler.storage.internals`.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing

import pytest
import transaction
from persistent.mapping import PersistentMapping

from scheduler.errors import DatabaseUnavailable, NoConnectionError
from scheduler.store import (
    connect,
    connection_of,
    current,
    default_uri,
    open_database,
    transact,
    using,
)
from scheduler.store.connection import OwnConnection
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("uri", "culprit"),
    [
        ("nonsense", "nonsense"),
        ("gopher://host/x", "gopher"),
        ("file:///proc/no/such/place.fs", "/proc/no/such/place.fs"),
        ("file:///tmp/x.fs?colour=red", "colour"),
        ("zeo://127.0.0.1:9?wait_timeout=0.2", "127.0.0.1:9"),
        ("zconfig:///no/such.conf", "/no/such.conf"),
    ],
)
def test_a_uri_that_cannot_be_opened_is_named(uri, culprit):
    with pytest.raises(DatabaseUnavailable, match=culprit):
        open_database(uri)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "letter.fs"
    file.write_text("Dear reader, this is no database.")

    with pytest.raises(DatabaseUnavailable, match=str(file)):
        open_database(f"file://{file}")

    assert file.read_text() == "Dear reader, this is no database."


def test_a_database_can_be_opened_after_a_failed_attempt(tmp_path):
    file = tmp_path / "letter.fs"
    file.write_text("Dear reader, this is no database.")
    with pytest.raises(DatabaseUnavailable):
        open_database(f"file://{file}")
    file.unlink()

    open_database(f"file://{file}").close()


def test_two_that_make_a_new_database_at_the_same_moment_both_have_it(any_uri, monkeypatch):
    others = []
    begin = OwnConnection.tpc_begin

    def after_another(connection, unit):
        if not others:
            others.append(None)
            others[0] = open_database(any_uri)
        begin(connection, unit)

    monkeypatch.setattr(OwnConnection, "tpc_begin", after_another)
    with closing(open_database(any_uri)) as database, closing(others[0]) as other:
        transact(database, lambda own: own.root().update(made="once"))
        wait_for(lambda: transact(other, lambda own: dict(own.root())) == {"made": "once"})


def test_without_a_uri_the_environment_names_the_database(monkeypatch):
    monkeypatch.setenv("SCHEDULER_DATABASE", "memory://")
    assert default_uri() == "memory://"

    with connect() as connection:
        assert connection.db().uri == "memory://"


def test_without_environment_the_embedded_one_is_used(monkeypatch):
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)
    assert default_uri() == f"file://{os.getcwd()}/var/relay.fs"


def test_without_a_current_connection_the_error_says_what_to_do():
    with pytest.raises(NoConnectionError, match=r"using\(connection\)"):
        current()


def test_connect_makes_its_connection_the_current_one_and_then_not(uri):
    with connect(uri) as connection:
        assert current() is connection
    with pytest.raises(NoConnectionError):
        current()


def test_connect_keeps_nothing_that_was_not_committed(uri):
    with connect(uri) as connection:
        connection.root()["kept"] = True
        transaction.commit()
        connection.root()["lost"] = True
    with connect(uri) as connection:
        assert "kept" in connection.root()
        assert "lost" not in connection.root()


def test_using_nests(open_view):
    outer, inner = open_view().connection, open_view().connection
    with using(outer):
        with using(inner):
            assert current() is inner
        assert current() is outer


def test_using_ends_when_its_block_fails(open_view):
    with pytest.raises(ZeroDivisionError), using(open_view().connection):
        raise ZeroDivisionError
    with pytest.raises(NoConnectionError):
        current()


def test_the_current_connection_of_another_thread_is_its_own(view):
    found = []

    def look():
        try:
            found.append(current())
        except NoConnectionError:
            found.append(None)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [None]


def test_a_stored_object_stands_for_its_connection(view, open_view):
    other = open_view().connection
    assert connection_of(other.root()) is other
    assert connection_of(PersistentMapping()) is view.connection
