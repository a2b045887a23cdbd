"""Small commits of PostgreSQL are two statements; all else of RelStorage stays as it is.

Covers `scheduler.storage.postgres_commit`.
"""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg2
import pytest
import transaction
from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent.mapping import PersistentMapping
from psycopg2.extensions import make_dsn, parse_dsn
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.options import Options
from relstorage.storage import RelStorage
from ZODB import DB
from ZODB.blob import Blob
from ZODB.Connection import TransactionMetaData
from ZODB.POSException import ConflictError, ReadConflictError

from scheduler.storage import postgres_commit
from scheduler.storage.postgres import in_place_of
from scheduler.storage.postgres_commit import CommitAdapter
from scheduler.store import open_database
from tests import postgres
from tests.waiting import wait_for

WAYS = ("direct", "of RelStorage")

LAST = "SELECT username, description, extension FROM transaction ORDER BY tid DESC LIMIT 1"
STATES_OF_LAST = """
    SELECT md5(state) = md5, length(state) = state_size, object_state.tid = current_object.tid
    FROM object_state JOIN current_object USING (zoid)
    WHERE object_state.tid = (SELECT max(tid) FROM transaction)
"""
NEW_OF_LAST = """
    SELECT prev_tid = 0, count(*) FROM object_state
    WHERE tid = (SELECT max(tid) FROM transaction) GROUP BY 1
"""


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Both ways to commit, of which each test is to see the same."""
    if request.param != "direct":
        monkeypatch.setattr(postgres_commit, "MANY", -1)
    return request.param


@pytest.fixture
def uri(postgres_server):
    with postgres.database(postgres_server) as uri:
        yield uri


@pytest.fixture
def database(uri, tmp_path):
    with closing(open_database(with_option(uri, f"blob_dir={tmp_path}/blobs"))) as database:
        yield database


@pytest.fixture
def stored(monkeypatch):
    """Return a list with an item for each commit that was made directly."""
    found, store = [], CommitAdapter._store

    def note(adapter, *arguments):
        found.append(adapter)
        return store(adapter, *arguments)

    monkeypatch.setattr(CommitAdapter, "_store", note)
    return found


def with_option(uri, option):
    return f"{uri}{'&' if '?' in uri else '?'}{option}"


class Session:
    """A connection with a transaction manager of its own."""

    def __init__(self, database):
        self.manager = transaction.TransactionManager()
        self.connection = database.open(self.manager)
        self.root = self.connection.root()


@pytest.fixture
def sessions(database):
    first, second = Session(database), Session(database)
    first.root["tree"], first.root["length"] = OOBTree(), Length()
    first.root["item"] = PersistentMapping()
    first.manager.commit()
    second.manager.begin()
    yield first, second
    for each in (first, second):
        each.manager.abort()
        each.connection.close()


def rows(uri, query):
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_small_commits_are_direct_and_large_ones_are_not(sessions, stored):
    first, _ = sessions
    for size in (10, postgres_commit.LARGE_BYTES, 10):
        first.root["item"]["text"] = "x" * size
        first.manager.commit()
    assert len(stored) == 2
    first.root["many"] = [PersistentMapping() for _ in range(postgres_commit.MANY)]
    first.manager.commit()
    assert len(stored) == 2


def test_both_ways_store_the_same(uri, way, sessions):
    first, _ = sessions
    first.root["item"]["a"] = PersistentMapping(text="x" * 500)
    first.manager.get().note("a note")
    first.manager.get().setUser("somebody")
    first.manager.commit()
    (commit,) = rows(uri, LAST)
    assert [*map(bytes, commit)] == [b"/ somebody", b"a note", b""]
    assert rows(uri, STATES_OF_LAST) == [(True, True, True)] * 2
    assert dict(rows(uri, NEW_OF_LAST)) == {True: 1, False: 1}


def test_conflicts_are_resolved(way, sessions):
    first, second = sessions
    for each, number in ((first, 3), (second, 4)):
        each.root["length"].change(number)
        each.root["tree"][number] = "x" * number
    first.manager.commit()
    second.manager.commit()
    first.manager.begin()
    assert first.root["length"]() == 7
    assert dict(first.root["tree"]) == {3: "xxx", 4: "xxxx"}


def test_conflicts_that_cannot_be_resolved_are_raised_and_the_next_commit_is_sound(way, sessions):
    first, second = sessions
    first.root["item"]["a"] = 1
    second.root["item"]["a"] = 2
    first.manager.commit()
    with pytest.raises(ConflictError):
        second.manager.commit()
    second.manager.abort()
    second.root["item"]["b"] = 3
    second.manager.commit()
    first.manager.begin()
    assert dict(first.root["item"]) == {"a": 1, "b": 3}


def test_what_was_read_and_has_changed_since_is_a_conflict(way, sessions):
    first, second = sessions
    assert not second.root["item"]
    second.connection.readCurrent(second.root["item"])
    second.root["length"].change(1)
    first.root["item"]["a"] = 1
    first.manager.commit()
    with pytest.raises(ReadConflictError):
        second.manager.commit()
    second.manager.abort()
    assert second.root["item"]["a"] == 1
    second.connection.readCurrent(second.root["item"])
    second.root["length"].change(1)
    second.manager.commit()


def test_undo_blobs_and_packs_work_on_what_was_committed(way, database, sessions):
    first, _ = sessions
    first.root["item"]["a"] = 1
    first.root["blob"] = Blob(b"bytes")
    first.manager.commit()
    first.root["item"]["a"] = 2
    first.manager.commit()
    database.undo(database.undoLog(0, 1)[0]["id"], first.manager.get())
    first.manager.commit()
    assert first.root["item"]["a"] == 1
    database.pack()
    first.root["item"]["b"] = 2
    first.manager.commit()
    with first.root["blob"].open() as file:
        assert file.read() == b"bytes"


def test_objects_can_be_deleted(way, sessions):
    first, second = sessions
    item = first.root["item"]
    storage = first.connection._storage
    del first.root["item"]
    first.manager.commit()
    data = TransactionMetaData()
    storage.tpc_begin(data)
    storage.deleteObject(item._p_oid, item._p_serial, data)
    storage.tpc_vote(data)
    storage.tpc_finish(data)
    first.root["length"].change(1)
    first.manager.commit()
    second.manager.begin()
    assert second.root["length"]() == 1


def test_writers_at_once_lose_nothing(way, database, sessions):
    failed = []

    def work(key):
        session = Session(database)
        done = 0
        while done < 20:
            session.manager.begin()
            session.root["length"].change(1)
            session.root["tree"][key, done] = PersistentMapping()
            try:
                session.manager.commit()
                done += 1
            except ConflictError:
                session.manager.abort()
            except Exception as error:  # noqa: BLE001 (the test says what it was)
                failed.append(error)
                return
        session.connection.close()

    threads = [threading.Thread(target=work, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, _ = sessions
    first.manager.begin()
    assert not failed
    assert first.root["length"]() == len(first.root["tree"]) == 80


def test_clients_with_plain_relstorage_meet_the_same_conflicts(uri, sessions, stored):
    first, _ = sessions
    adapter = PostgreSQLAdapter(dsn=make_dsn(**parse_dsn(uri)), options=Options())
    plain = RelStorage(adapter, options=Options())
    with closing(DB(plain)) as beside:
        other = Session(beside)
        for loser, winner in ((other, first), (first, other)):
            for each in (loser, winner):
                each.manager.begin()
            loser.root["item"]["a"] = 1
            loser.root["length"].change(1)
            winner.root["item"]["a"] = 2
            winner.manager.commit()
            with pytest.raises(ConflictError):
                loser.manager.commit()
            loser.manager.abort()
        other.manager.abort()
        other.connection.close()
    assert stored


def test_a_commit_costs_no_more_in_a_database_that_has_grown_since_it_was_looked_at(
    uri, sessions, stored
):
    first, _ = sessions
    for number in range(300):  # no statistics are made meanwhile, and plans are kept
        first.root["item"][number % 10] = number
        first.manager.commit()
    first.manager.abort()
    first.connection.close()
    read = "SELECT sum(seq_tup_read)::int FROM pg_stat_user_tables WHERE relname IN "
    wait_for(lambda: rows(uri, "SELECT sum(n_tup_ins) >= 300 FROM pg_stat_user_tables")[0][0])
    ((count,),) = rows(uri, read + "('current_object', 'object_state', 'transaction')")
    assert len(stored) >= 300
    assert count < 1000, "each of them went by all that is there"


def test_functions_that_are_gone_are_made_anew(uri, sessions, stored):
    first, _ = sessions
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION relay_lock_2, relay_store_2")
        connection.commit()
    first.root["item"]["a"] = 1
    with pytest.raises(ReadConflictError, match="made anew"):
        first.manager.commit()
    first.manager.abort()
    first.root["item"]["a"] = 1
    first.manager.commit()
    first.manager.begin()
    assert first.root["item"]["a"] == 1


def test_a_user_who_may_not_make_functions_commits_as_relstorage_does(uri, database, stored):
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
        cursor.execute(f"""
            DROP FUNCTION IF EXISTS relay_lock_2;
            DROP FUNCTION IF EXISTS relay_store_2;
            CREATE ROLE writer_of_{name} LOGIN;
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO writer_of_{name};
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer_of_{name};
        """)
        connection.commit()
    stored.clear()
    address = uri.replace("postgres:@", f"writer_of_{name}:@", 1)
    assert address != uri
    options = Options(create_schema=False)
    adapter = PostgreSQLAdapter(dsn=make_dsn(**parse_dsn(address)), options=options)
    with closing(DB(in_place_of(RelStorage(adapter, options=options)))) as limited:
        session = Session(limited)
        session.root["a"] = 1
        session.manager.commit()
        session.connection.close()
    assert not stored
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY writer_of_{name}; DROP ROLE writer_of_{name}")
        connection.commit()


def test_a_database_without_history_is_left_to_relstorage(uri, stored):
    with closing(open_database(with_option(uri, "keep_history=false"))) as database:
        session = Session(database)
        session.root["a"] = 1
        session.manager.commit()
        session.connection.close()
    assert not stored
