"""The database goes away in the middle of a commit: it is done again, or its outcome is told.

Covers `scheduler.storage.messages`, `scheduler.store.commit`.
"""

from __future__ import annotations

import os
import signal
from contextlib import closing

import psycopg2
import pytest
import transaction
from ZODB.FileStorage import FileIterator

from scheduler.errors import CommitInterrupted, DatabaseUnavailable, OutcomeUnknown
from scheduler.storage import side_files
from scheduler.store import connect, open_database, transact
from tests.scheduler.harness import python

# A ZEO server that ends at a step of a commit, and another one that follows it.
SERVER = """
import os, sys
from ZEO import runzeo
from ZEO.StorageServer import ZEOStorage
from tests.waiting import DEADLINE

file, port, step, moment = sys.argv[1:]
work = getattr(ZEOStorage, step)

def end(self, *arguments):
    if os.path.exists(file + ".armed"):
        if moment == "after":
            work(self, *arguments)
        os._exit(0)
    return work(self, *arguments)

first = os.fork()
if first:
    os.waitpid(first, 0)
else:
    setattr(ZEOStorage, step, end)
runzeo.main(["-f", file, "-a", "127.0.0.1:" + port])
"""


@pytest.fixture
def uri(free_port):
    return f"zeo://127.0.0.1:{free_port}?wait_timeout=20"


@pytest.fixture
def server(tmp_path, free_port):
    """Start a server of the database that ends at *step* of a commit, and is started again."""
    started = []

    def start(step, moment):
        process = python(
            SERVER, tmp_path / "data.fs", str(free_port), step, moment, start_new_session=True
        )
        started.append(process)

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def add_one(connection):
    root = connection.root()
    root["count"] = root.get("count", 0) + 1


def count(uri):
    with connect(uri) as connection:
        return connection.root()["count"]


@pytest.mark.parametrize(
    ("step", "moment"),
    [("tpc_begin", "before"), ("vote", "before"), ("vote", "after"), ("tpc_finish", "before")],
)
def test_a_commit_that_is_known_not_to_be_stored_is_done_again(uri, server, tmp_path, step, moment):
    server(step, moment)
    with closing(open_database(uri)) as database:
        transact(database, add_one)
        (tmp_path / "data.fs.armed").touch()
        transact(database, add_one)
    assert count(uri) == 2


def test_a_commit_of_which_it_cannot_be_told_whether_it_is_stored_is_not_done_again(
    uri, server, tmp_path
):
    server("tpc_finish", "after")
    with closing(open_database(uri)) as database:
        transact(database, add_one)
        (tmp_path / "data.fs.armed").touch()
        with pytest.raises(OutcomeUnknown, match="look for what it writes"):
            transact(database, add_one)
    assert count(uri) == 2


def test_an_application_is_told_that_nothing_of_its_commit_is_stored(uri, server, tmp_path):
    server("vote", "before")
    with closing(open_database(uri)) as database:
        connection = database.open()
        add_one(connection)
        (tmp_path / "data.fs.armed").touch()
        with pytest.raises(CommitInterrupted, match="do it again"):
            transaction.commit()
        transaction.abort()
        connection.close()


def make(uri, transactions=20):
    with closing(open_database(uri)) as database:
        for number in range(transactions):
            transact(database, lambda own, number=number: own.root().update({str(number): 1}))


def numbers(uri):
    with connect(uri) as connection:
        return len(connection.root())


def starts_of(file):
    return [each._tpos for each in FileIterator(str(file))]


def zeros(content, starts):
    return content + b"\0" * 4096


def last_zeroed(content, starts):
    return content[: starts[-1]] + b"\0" * (len(content) - starts[-1])


def last_sector_zeroed(content, starts):
    end = (len(content) // 512) * 512
    return content[:end] + b"\0" * (len(content) - end)


def old_behind(content, starts):
    return content + content[starts[3] : starts[7]]


def old_over_the_last(content, starts):
    rest = len(content) - starts[-3]
    return content[: starts[-3]] + content[starts[3] : starts[3] + rest]


def rubbish(content, starts):
    return content[: starts[-2]] + bytes(range(255, 0, -1)) * 20


def cut(content, starts):
    return content[:-100]


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (zeros, 0),
        (last_zeroed, 1),
        (last_sector_zeroed, None),
        (old_behind, 0),
        (old_over_the_last, 3),
        (rubbish, 2),
        (cut, 1),
    ],
)
def test_a_damaged_tail_is_cut_off_at_the_first_start(
    tmp_path, caplog, monkeypatch, damage, lost, has_index
):
    monkeypatch.setattr(side_files, "INDEX_BEHIND", 0 if has_index else 1 << 30)
    file = tmp_path / "data.fs"
    uri = f"file://{file}"
    make(uri)
    assert (tmp_path / "data.fs.index").exists() == has_index
    content, starts = file.read_bytes(), starts_of(file)
    file.write_bytes(damage(content, starts))
    left = numbers(uri)
    assert left == 20 - lost if lost is not None else 15 < left < 20
    assert "no whole transaction" in caplog.text
    assert (tmp_path / "data.fs.tr0").exists()
    make(uri, 30)
    assert numbers(uri) == 30


def test_damage_before_whole_transactions_is_not_cut_off(tmp_path):
    file = tmp_path / "data.fs"
    uri = f"file://{file}"
    make(uri)
    content, starts = file.read_bytes(), starts_of(file)
    damaged = content[: starts[9]] + b"\0" * 20 + content[starts[9] + 20 : -10]
    file.write_bytes(damaged)
    with pytest.raises(DatabaseUnavailable, match="put the backup back"):
        open_database(uri)
    assert file.read_bytes() == damaged


@pytest.mark.parametrize("companion", ["lock", "turn"])
def test_a_folder_in_the_place_of_a_file_beside_the_database_is_named(tmp_path, companion):
    (tmp_path / f"data.fs.{companion}").mkdir()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=rf"data.fs.{companion}"):
            open_database(f"file://{tmp_path}/data.fs")


class Cutter:
    """Takes part in a commit, and cuts all connections to PostgreSQL once, at one of its steps."""

    def __init__(self, uri, step):
        self._uri = uri
        self._is_done = False
        setattr(self, step, self._cut)

    def join(self, unit):
        if not self._is_done:
            unit.join(self)

    def sortKey(self):  # noqa: N802 (the name of transactions)
        return ""  # before the connection, so that its next step meets the loss

    def _cut(self, unit):
        self._is_done = True
        with closing(psycopg2.connect(self._uri)) as server, server.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def tpc_begin(self, unit):
        """Nothing is to be done, here and below."""

    commit = tpc_vote = tpc_finish = tpc_abort = abort = tpc_begin


@pytest.mark.parametrize("step", ["tpc_begin", "commit", "tpc_vote"])
def test_on_postgres_a_commit_that_is_known_not_to_be_stored_is_done_again(postgres_uri, step):
    cutter = Cutter(postgres_uri, step)

    def work(connection):
        cutter.join(connection.transaction_manager.get())
        connection.root()[step] = connection.root().get(step, 0) + 1

    with closing(open_database(postgres_uri)) as database:
        transact(database, work)
        assert transact(database, lambda own: own.root()[step]) == 1


def test_on_postgres_a_commit_that_is_cut_off_at_its_end_has_an_unknown_outcome(postgres_uri):
    cutter = Cutter(postgres_uri, "tpc_finish")

    def work(connection):
        cutter.join(connection.transaction_manager.get())
        connection.root()["last"] = 1

    with closing(open_database(postgres_uri)) as database:
        with pytest.raises(OutcomeUnknown):
            transact(database, work)
        transact(database, lambda own: own.root().update(after=1))
