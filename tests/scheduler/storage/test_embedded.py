"""The embedded database and the processes that share its file, also when one of them is killed.

Covers `scheduler.storage.embedded_file`, `scheduler.storage.commit_turn`,
`scheduler.storage.file_lock`, `scheduler.storage.gathered`, `scheduler.storage.new_transactions`,
`scheduler.storage.positioned_file`, `scheduler.storage.file_watch`,
`scheduler.storage.file_tail`, `scheduler.storage.data_file`, `scheduler.storage.side_files`.
"""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
import transaction
from BTrees.OOBTree import OOBTree
from zc.lockfile import LockError
from ZODB.FileStorage import FileIterator, FileStorage
from ZODB.POSException import ConflictError

from scheduler.errors import DatabaseUnavailable
from scheduler.storage import file_lock
from scheduler.store import connect, open_database, transact
from tests.scheduler.harness import output_of, python
from tests.waiting import DEADLINE, wait_for

WRITE = """
import sys, transaction
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    print(connection.root().get("here"))
    connection.root()["there"] = 1
    transaction.commit()
"""


def test_two_processes_see_each_others_commits(view, uri):
    view.root["here"] = "hello"
    view.commit()
    assert output_of(WRITE, uri) == "hello"

    view.refresh()
    assert view.root["there"] == 1


FOLLOW = """
import sys, time, transaction
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    root = connection.root()
    for number in range(20):
        while root.get("ping") != number:
            time.sleep(0.001)
            transaction.begin()
        root["pong"] = number
        transaction.commit()
"""


LARGE = """
import sys, transaction
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    connection.root()["large"] = bytes(3_000_000)
    transaction.commit()
    connection.root()["after"] = 1
    transaction.commit()
"""


def test_a_commit_of_many_megabytes_and_those_behind_it_are_seen(view, uri):
    view.root["before"] = 1
    view.commit()
    output_of(LARGE, uri)
    view.until(lambda: view.root.get("after"))
    assert len(view.root["large"]) == 3_000_000


def test_commits_go_to_and_fro_between_open_connections(view, uri):
    with python(FOLLOW, uri) as process:
        for number in range(20):
            view.root["ping"] = number
            view.commit()
            view.until(lambda number=number: view.root.get("pong") == number)
        assert process.wait(DEADLINE) == 0


def test_two_connections_of_one_process_see_each_other(view, uri):
    code = """
import sys, transaction
from scheduler.store import open_database, transact
database = open_database(sys.argv[1])
manager = transaction.TransactionManager()
reader = database.open(manager)
reader.root().get("x")
transact(database, lambda connection: connection.root().update(x=7))
manager.begin()
print(reader.root().get("x"))
manager.abort(); reader.close(); database.close()
"""
    assert output_of(code, uri) == "7"


def test_a_conflict_between_two_processes_is_detected(view, uri):
    view.root["here"] = 1
    output_of(WRITE, uri)
    with pytest.raises(ConflictError):
        view.commit()
    view.refresh()
    assert view.root["there"] == 1


KILLED = """
import os, sys
from scheduler.store import open_database, transact
database = open_database(sys.argv[1])
transact(database, lambda connection: connection.root().update(x=1))
os.kill(os.getpid(), 9)
"""


def test_commits_of_a_killed_process_are_there_for_the_next(uri):
    with python(KILLED, uri) as process:
        process.wait(DEADLINE)
    with connect(uri) as connection:
        assert connection.root()["x"] == 1


HOLD = """
import sys
from ZODB.FileStorage.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
print("holding", flush=True)
sys.stdin.read()
"""


def test_nobody_is_told_of_a_commit_that_is_not_in_the_file(view, tmp_path):
    in_the_file = []

    class Reader:
        def _invalidate(self, tid, oids):
            in_the_file.append(
                tid in [each.tid for each in FileIterator(str(tmp_path / "data.fs"))]
            )

    view.database._mvcc_storage._instances.add(reader := Reader())
    view.root["here"] = 1
    view.commit()
    view.database._mvcc_storage._release(reader)
    assert in_the_file == [True]


def test_a_file_held_by_a_process_that_does_not_share_it_is_reported(tmp_path, uri, monkeypatch):
    monkeypatch.setattr("scheduler.storage.embedded.LOCK_SECONDS", 0.3)
    with python(HOLD, tmp_path / "data.fs", stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        with pytest.raises(DatabaseUnavailable, match=rf"pid {process.pid}.*stop.*open_database"):
            open_database(uri)
        process.stdin.close()


OWN = """
import sys
from scheduler.store import open_database
database = open_database(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
database.close()
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_process_goes_on_when_the_one_that_opened_the_file_first_has_gone(uri, is_killed):
    with python(OWN, uri, stdin=-1, stdout=-1) as first:
        first.stdout.readline()
        database = open_database(uri)
        transact(database, lambda connection: connection.root().update(here="before"))
        if is_killed:
            first.kill()
        first.stdin.close()
        first.wait(DEADLINE)
        transact(database, lambda connection: connection.root().update(here="after"))
    assert output_of(WRITE, uri) == "after"
    assert transact(database, lambda connection: connection.root()["there"]) == 1
    database.close()


def test_zodb_itself_is_refused_a_file_that_is_shared(database, tmp_path):
    with pytest.raises(LockError):
        FileStorage(str(tmp_path / "data.fs"))


ENDS_IN_ITS_COMMIT = """
import os, sys
from scheduler.storage.embedded_file import EmbeddedStorage
from scheduler.store import open_database, transact
name, moment = sys.argv[2:]
step, armed = getattr(EmbeddedStorage, name), []
def end(self, *args):
    if armed and moment == "before":
        os.kill(os.getpid(), 9)
    result = step(self, *args)
    if armed:
        os.kill(os.getpid(), 9)
    return result
setattr(EmbeddedStorage, name, end)
database = open_database(sys.argv[1])
transact(database, lambda connection: connection.root().update(x=1))
armed.append(1)
transact(database, lambda connection: connection.root().update(x=2, text="x" * 100_000))
"""


@pytest.mark.parametrize(
    ("step", "moment", "left"),
    [("tpc_vote", "before", 1), ("tpc_vote", "after", 1), ("_finish_finish", "after", 2)],
)
def test_a_process_killed_in_its_commit_leaves_all_of_it_or_nothing(uri, step, moment, left):
    with closing(open_database(uri)) as database:
        with python(ENDS_IN_ITS_COMMIT, uri, step, moment) as process:
            assert process.wait(DEADLINE) == -9
        assert transact(database, lambda connection: connection.root()["x"]) == left
        transact(database, lambda connection: connection.root().update(x=3))
        assert output_of(WRITE, uri) == "None"
        assert transact(database, lambda connection: connection.root()["there"]) == 1


STEP = """
import sys
from scheduler.store import open_database, transact
def step(connection):
    numbers = connection.root()["numbers"]
    numbers[max(numbers, default=0) + 1] = sys.argv[2]
database = open_database(sys.argv[1])
for _ in range(int(sys.argv[3])):
    transact(database, step, attempts=1000)
database.close()
"""


def test_processes_that_change_one_object_lose_no_step(uri):
    with closing(open_database(uri)) as database:
        transact(database, lambda own: own.root().update(numbers=OOBTree()))
        processes = [python(STEP, uri, name, 100) for name in "abc"]
        for process in processes:
            with process:
                assert process.wait(DEADLINE) == 0
        names = transact(database, lambda own: list(own.root()["numbers"].values()))
    assert sorted(names) == ["a"] * 100 + ["b"] * 100 + ["c"] * 100


ADD = """
import sys
from persistent.mapping import PersistentMapping
from scheduler.store import open_database, transact
def add(connection):
    for number in range(700):
        connection.root()[f"{sys.argv[2]}{number}"] = PersistentMapping(name=sys.argv[2])
database = open_database(sys.argv[1])
for _ in range(3):
    transact(database, add, attempts=1000)
database.close()
"""


def test_processes_give_new_objects_ids_of_their_own(uri):
    with closing(open_database(uri)) as database:
        processes = [python(ADD, uri, name) for name in "abc"]
        for process in processes:
            with process:
                assert process.wait(DEADLINE) == 0
        root = transact(database, lambda own: {k: v["name"] for k, v in own.root().items()})
    assert len(root) == 2100
    assert all(key.startswith(name) for key, name in root.items())


def test_a_pack_is_seen_by_the_other_processes(uri):
    with closing(open_database(uri)) as database, python(FOLLOW, uri) as process:
        for number in range(20):
            transact(database, lambda own, number=number: own.root().update(ping=number))
            if number % 5 == 0:
                database.pack()
            wait_for(lambda number=number: transact(database, answer) == number)
        assert process.wait(DEADLINE) == 0


def answer(connection):
    return connection.root().get("pong")


PACK = """
import sys
from scheduler.store import open_database
database = open_database(sys.argv[1])
for _ in range(int(sys.argv[2])):
    database.pack()
database.close()
"""


def test_commits_go_on_while_another_process_packs(uri):
    with closing(open_database(uri)) as database:
        transact(database, lambda own: own.root().update(numbers=OOBTree()))
        with python(PACK, uri, 5) as packer, python(STEP, uri, "a", 100) as writer:
            assert packer.wait(DEADLINE) == 0
            assert writer.wait(DEADLINE) == 0
        assert transact(database, lambda own: len(own.root()["numbers"])) == 100


def test_a_backup_put_in_the_place_of_the_file_is_noticed(uri, tmp_path, caplog):
    file = tmp_path / "data.fs"
    with closing(open_database(uri)) as database:
        connection = database.open()
        connection.root()["x"] = 1
        transaction.commit()
        backup = file.read_bytes()
        connection.root()["x"] = 2
        transaction.commit()
        (tmp_path / "restored").write_bytes(backup)
        (tmp_path / "restored").rename(file)
        transaction.begin()
        assert connection.root()["x"] == 1
        assert database.epoch == 1
        connection.root()["x"] = 3
        transaction.commit()
        connection.close()
    assert "database restored to an earlier state" in caplog.text
    with connect(uri) as connection:
        assert connection.root()["x"] == 3


def test_a_file_that_is_open_on_another_machine_is_refused(database, uri, tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "this_boot", lambda: "another")
    with pytest.raises(DatabaseUnavailable, match=r"data.fs is open on another machine.*ZEO"):
        open_database(uri)


class Veto:
    """Takes part in a commit, and refuses it after the database has voted for it."""

    def sortKey(self):  # noqa: N802 (the name of transactions)
        return "~"

    def tpc_begin(self, unit):
        """Nothing is to be done, here and below."""

    commit = tpc_finish = tpc_abort = abort = tpc_begin

    def tpc_vote(self, unit):
        raise ValueError("no")


def test_commits_that_are_aborted_late_block_no_thread_that_looks_for_news(database, uri):
    ends = threading.Event()

    def look():
        while not ends.is_set():
            database.storage.lastTransaction()

    def write():
        with closing(open_database(uri)) as other:
            for number in range(200):
                transact(other, lambda own, number=number: own.root().update(n=number))

    def refuse(connection):
        connection.root()["refused"] = 1
        connection.transaction_manager.get().join(Veto())

    threads = [threading.Thread(target=each, daemon=True) for each in (look, look, write)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        with pytest.raises(ValueError, match="no"):
            transact(database, refuse)
    ends.set()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
