"""The database goes away in the middle of a commit: it is done again, or its outcome is told.

Covers `scheduler.storage.messages`, `scheduler.store.commit`.
"""

from __future__ import annotations

import subprocess
import threading
from contextlib import closing, suppress

import psycopg2
import pytest
import transaction
from ZODB.FileStorage import FileIterator

from scheduler.errors import CommitInterrupted, DatabaseUnavailable, OutcomeUnknown
from scheduler.storage.embedded import socket_path
from scheduler.store import connect, open_database, transact
from tests.scheduler.harness import python
from tests.waiting import wait_for

DEADLINE = 60.0

# The owner of the file, which ends at a step of a commit of another process.
OWNER = """
import os, sys
from scheduler.store import open_database
from scheduler.storage.embedded_server import _Handler

step, moment = sys.argv[2:]
database = open_database(sys.argv[1])
if step:
    work = getattr(_Handler, step)

    def end(self, *arguments):
        if os.path.exists(sys.argv[1].removeprefix("file://") + ".armed"):
            if moment == "after":
                work(self, *arguments)
            os._exit(0)
        return work(self, *arguments)

    setattr(_Handler, step, end)
print("open", flush=True)
sys.stdin.read()
database.close()
"""


@pytest.fixture
def uri(tmp_path):
    return f"file://{tmp_path}/data.fs"


@pytest.fixture
def owner(uri):
    """Start the process that has the file; it ends at *step* of a commit, if one is named."""
    started = []

    def start(step="", moment=""):
        process = python(OWNER, uri, step, moment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


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
def test_a_commit_that_is_known_not_to_be_stored_is_done_again(uri, owner, tmp_path, step, moment):
    process = owner(step, moment)
    with closing(open_database(uri)) as database:
        transact(database, add_one)
        (tmp_path / "data.fs.armed").touch()
        transact(database, add_one)
        assert process.wait(DEADLINE) == 0
    assert count(uri) == 2


def test_a_commit_of_which_it_cannot_be_told_whether_it_is_stored_is_not_done_again(
    uri, owner, tmp_path
):
    owner("tpc_finish", "after")
    with closing(open_database(uri)) as database:
        transact(database, add_one)
        (tmp_path / "data.fs.armed").touch()
        with pytest.raises(OutcomeUnknown, match="look for what it writes"):
            transact(database, add_one)
    assert count(uri) == 2


def test_an_application_is_told_that_nothing_of_its_commit_is_stored(uri, owner, tmp_path):
    owner("vote", "before")
    with closing(open_database(uri)) as database:
        connection = database.open()
        add_one(connection)
        (tmp_path / "data.fs.armed").touch()
        with pytest.raises(CommitInterrupted, match="do it again"):
            transaction.commit()
        transaction.abort()
        connection.close()


def test_owners_that_end_normally_interrupt_no_commit(uri, owner):
    done, errors, stop = [], [], threading.Event()
    process = owner()

    def commit_on(database):
        while not stop.is_set():
            try:
                transact(database, add_one, attempts=100)
                done.append(1)
            except Exception as error:  # noqa: BLE001 (any is a failure)
                errors.append(error)

    databases = [open_database(uri) for _ in range(3)]
    for database in databases[1:]:
        database.failover.close()  # the first takes over
        database.failover = None
    threads = [threading.Thread(target=commit_on, args=(each,)) for each in databases]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(done) > 20, DEADLINE)
    process.communicate()
    before = len(done)
    wait_for(lambda: len(done) > before + 20 or errors, DEADLINE)
    stop.set()
    for thread in threads:
        thread.join()
    for database in reversed(databases):
        database.close()
    assert errors == []
    assert count(uri) == len(done)


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
    uri, tmp_path, caplog, damage, lost, has_index
):
    make(uri)
    file = tmp_path / "data.fs"
    if not has_index:
        (tmp_path / "data.fs.index").unlink()
    content, starts = file.read_bytes(), starts_of(file)
    file.write_bytes(damage(content, starts))
    left = numbers(uri)
    assert left == 20 - lost if lost is not None else 15 < left < 20
    assert "no whole transaction" in caplog.text
    assert (tmp_path / "data.fs.tr0").exists()
    make(uri, 30)
    assert numbers(uri) == 30


def test_damage_before_whole_transactions_is_not_cut_off(uri, tmp_path):
    make(uri)
    file = tmp_path / "data.fs"
    (tmp_path / "data.fs.index").unlink()
    content, starts = file.read_bytes(), starts_of(file)
    damaged = content[: starts[9]] + b"\0" * 20 + content[starts[9] + 20 : -10]
    file.write_bytes(damaged)
    with pytest.raises(DatabaseUnavailable, match="put the backup back"):
        open_database(uri)
    assert file.read_bytes() == damaged


def place(path, kind):
    if kind == "file":
        path.write_text("something")
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to(path.with_name("nowhere"))
    else:
        (path.with_name("else")).write_text("something")
        path.symlink_to(path.with_name("else"))


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_a_file_in_the_place_of_the_socket_is_named_and_left_alone(uri, tmp_path, kind):
    place(tmp_path / "data.fs.sock", kind)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=r"data.fs.sock, where its socket belongs"):
            open_database(uri)
    with suppress(IsADirectoryError):
        (tmp_path / "data.fs.sock").unlink()
        open_database(uri).close()


def test_a_socket_that_another_one_has_replaced_is_left_alone(uri, tmp_path):
    database = open_database(uri)
    path = tmp_path / "data.fs.sock"
    path.unlink()
    path.write_text("of somebody else")
    database.close()
    assert socket_path(tmp_path / "data.fs") == str(path)
    assert path.read_text() == "of somebody else"


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
