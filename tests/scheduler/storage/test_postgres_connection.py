"""A connection of PostgreSQL sends BEGIN with the first statement, and is as psycopg2's else.

Covers `scheduler.storage.postgres_connection`.
"""

from __future__ import annotations

import io
from contextlib import closing

import psycopg2
import pytest
import transaction
from psycopg2 import extensions

from scheduler.storage.postgres_connection import PromptConnection, PromptCursor
from scheduler.store import open_database
from tests import postgres

MODES = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
READING = {"isolation_level": extensions.ISOLATION_LEVEL_REPEATABLE_READ, "readonly": True}
WRITING = {"isolation_level": extensions.ISOLATION_LEVEL_READ_COMMITTED, "readonly": False}


@pytest.fixture
def uri(postgres_server):
    with postgres.database(postgres_server) as uri:
        postgres.query(uri, "CREATE TABLE number (value INT)")
        yield uri


@pytest.fixture
def connection(uri):
    with closing(PromptConnection(uri)) as connection:
        connection.set_session(**WRITING)
        yield connection


@pytest.fixture
def cursor(connection):
    return connection.cursor()


@pytest.fixture
def sent(monkeypatch):
    """Return a list of the statements that are sent."""
    found, execute, send = [], PromptCursor.execute, PromptConnection._send

    def note_execute(cursor, query, values=None):
        found.append(query)
        execute(cursor, query, values)

    def note_send(connection, statement):
        found.append(statement)
        send(connection, statement)

    monkeypatch.setattr(PromptCursor, "execute", note_execute)
    monkeypatch.setattr(PromptConnection, "_send", note_send)
    return found


def values(uri):
    return [value for (value,) in postgres.query(uri, "SELECT value FROM number ORDER BY 1")]


def is_idle(connection):
    return connection.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize(
    ("modes", "expected"),
    [(READING, ("repeatable read", "on")), (WRITING, ("read committed", "off"))],
)
def test_a_transaction_is_of_the_modes_of_the_session(uri, modes, expected):
    with closing(PromptConnection(uri)) as connection:
        connection.set_session(**modes)
        cursor = connection.cursor()
        for _ in range(2):
            cursor.execute(MODES)
            assert cursor.fetchone() == expected
            connection.rollback()


def test_a_session_of_other_modes_is_left_to_psycopg2(uri):
    with closing(PromptConnection(uri)) as connection:
        connection.set_session(isolation_level="SERIALIZABLE", readonly=True, deferrable=True)
        cursor = connection.cursor()
        cursor.execute(MODES)
        assert cursor.fetchone() == ("serializable", "on")
        connection.rollback()
        assert is_idle(connection)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_what_is_written_is_there_once_it_is_committed(uri, connection, cursor, end):
    cursor.execute("INSERT INTO number VALUES (%s)", (1,))
    cursor.execute(b"INSERT INTO number VALUES (2)")
    assert values(uri) == []
    getattr(connection, end)()
    assert values(uri) == ([1, 2] if end == "commit" else [])
    assert is_idle(connection)


def test_a_commit_within_a_statement_ends_the_transaction_without_a_word(uri, connection, cursor):
    cursor.execute("INSERT INTO number VALUES (1); COMMIT; SELECT 1")
    connection.commit()
    assert values(uri) == [1]
    assert connection.notices == []


def test_a_first_statement_that_fails_is_rolled_back_as_any_other(uri, connection, cursor):
    with pytest.raises(psycopg2.Error):
        cursor.execute("SELECT 1/0")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")
    connection.rollback()
    cursor.execute("INSERT INTO number VALUES (1)")
    connection.commit()
    assert values(uri) == [1]


def test_rows_that_are_copied_or_many_are_of_the_transaction(uri, connection, cursor):
    cursor.copy_expert("COPY number FROM STDIN", io.StringIO("1\n2\n"))
    connection.rollback()
    cursor.executemany("INSERT INTO number VALUES (%s)", [(3,), (4,)])
    connection.rollback()
    assert values(uri) == []
    cursor.copy_expert("COPY number FROM STDIN", io.StringIO("5\n"))
    connection.commit()
    assert values(uri) == [5]


def test_a_cursor_on_the_server_reads_in_the_transaction(uri, connection, cursor):
    cursor.execute("INSERT INTO number SELECT generate_series(1, 5000)")
    for _ in range(2):
        with closing(connection.cursor(name="all")) as on_server:
            on_server.itersize = 100
            on_server.execute("SELECT value FROM number ORDER BY 1")
            assert [value for (value,) in on_server] == [*range(1, 5001)]
    connection.rollback()
    assert is_idle(connection)


def test_a_large_object_is_of_the_transaction(tmp_path, connection, cursor):
    (tmp_path / "sent").write_bytes(b"\0blob" * 5000)
    written = connection.lobject(0, "wb", 0, str(tmp_path / "sent"))
    connection.commit()
    connection.lobject(written.oid, "rb").export(str(tmp_path / "back"))
    connection.rollback()
    assert (tmp_path / "back").read_bytes() == b"\0blob" * 5000
    lost = connection.lobject(0, "wb", 0, str(tmp_path / "sent"))
    connection.rollback()
    with pytest.raises(psycopg2.Error):
        connection.lobject(lost.oid, "rb").read(1)


def test_a_lost_connection_says_so_and_does_not_hang(uri, connection, cursor):
    cursor.execute("SELECT pg_backend_pid()")
    (pid,) = cursor.fetchone()
    postgres.query(uri, "SELECT pg_terminate_backend(%s)", pid)
    with pytest.raises(psycopg2.OperationalError):
        cursor.execute("SELECT 1")
    with pytest.raises(psycopg2.Error):
        connection.commit()


def test_a_small_commit_and_the_look_for_changes_behind_it_are_four_statements(uri, sent):
    with closing(open_database(uri)) as database:
        manager = transaction.TransactionManager()
        connection = database.open(manager)
        for value in range(5):
            sent.clear()
            connection.root()["item"] = value
            manager.commit()
        kinds = [statement.split("(")[0].split()[-1] for statement in sent]
        assert kinds == ["relay_lock_2", "set_config", "ROLLBACK", "relay_poll"]
        connection.close()
