"""The embedded database and the processes that share it, also when its owner goes.

Covers `scheduler.storage.embedded_server`, `scheduler.storage.failover`,
`scheduler.storage.file_tail`.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from contextlib import ExitStack

import pytest
import transaction
from ZODB.FileStorage import FileIterator
from ZODB.POSException import ConflictError

from scheduler import nowutc
from scheduler.errors import DatabaseUnavailable
from scheduler.storage.embedded import socket_path
from scheduler.storage.embedded_server import STORAGE_NAME
from scheduler.store import (
    connect,
    open_database,
    transact,
)
from tests.scheduler.harness import View, output_of, python, running
from tests.scheduler.sample_tasks import Count
from tests.waiting import wait_for


def test_the_socket_is_its_owners_alone(database, tmp_path):
    mode = os.stat(socket_path(tmp_path / "data.fs")).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_path_too_long_for_a_socket_is_served_all_the_same(tmp_path):
    folder = tmp_path / ("x" * 120)
    uri = f"file://{folder}/data.fs"
    database = open_database(uri)
    output = output_of(WRITE, uri)
    database.close()
    assert output == "None"
    assert not os.path.exists(socket_path(folder / "data.fs"))


WRITE = """
import sys, transaction
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    print(connection.root().get("here"))
    connection.root()["there"] = 1
    transaction.commit()
"""


def test_the_hub_and_another_process_see_each_others_commits(view, uri):
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


def test_commits_go_to_and_fro_between_open_connections(view, uri):
    with python(FOLLOW, uri) as process:
        for number in range(20):
            view.root["ping"] = number
            view.commit()
            view.until(lambda number=number: view.root.get("pong") == number)
        assert process.wait(20) == 0


def test_two_connections_of_a_joined_process_see_each_other(view, uri):
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


HOLD_THE_LOCK = """
import sys
from persistent.mapping import PersistentMapping
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    class Last:
        def sortKey(self): return "~"
        def tpc_vote(self, unit): print("voted", flush=True); sys.stdin.readline()
        def tpc_begin(self, unit): "Nothing to prepare."
        commit = tpc_finish = tpc_abort = abort = tpc_begin
    if sys.argv[2] == "first":
        connection.transaction_manager.get().join(Last())
    connection.add(PersistentMapping())
    print("ready", flush=True)
    sys.stdin.readline()
    connection.transaction_manager.commit()
"""


def test_clients_that_wait_for_each_other_are_not_warned_of(database, uri, caplog):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        first, *others = (
            stack.enter_context(python(HOLD_THE_LOCK, uri, name, **pipes))
            for name in ("first", *"abcdef")
        )
        for process in (first, *others):
            assert process.stdout.readline() == "ready\n"
        print("go", file=first.stdin, flush=True)
        assert first.stdout.readline() == "voted\n"
        for process in others:
            print("go", file=process.stdin, flush=True)
        locks = database.embedded_server._server.lock_managers[STORAGE_NAME]
        wait_for(lambda: len(locks.waiting) == len(others))
        print("go", file=first.stdin, flush=True)
    assert [record for record in caplog.records if "waiting" in record.getMessage()] == []


def test_a_stale_socket_is_replaced(tmp_path, uri):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(socket_path(tmp_path / "data.fs"))

    database = open_database(uri)
    assert output_of(WRITE, uri) == "None"
    database.close()


def test_the_socket_is_gone_after_closing(tmp_path, uri):
    open_database(uri).close()
    assert not os.path.exists(socket_path(tmp_path / "data.fs"))


KILLED = """
import os, sys
from scheduler.store import open_database, transact
database = open_database(sys.argv[1])
transact(database, lambda connection: connection.root().update(x=1))
os.kill(os.getpid(), 9)
"""


def test_commits_of_a_killed_owner_are_there_for_the_next(uri):
    with python(KILLED, uri) as process:
        process.wait(30)
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


def test_a_file_held_by_a_process_that_does_not_serve_it_is_reported(tmp_path, uri, monkeypatch):
    monkeypatch.setattr("scheduler.storage.embedded.JOIN_SECONDS", 0.3)
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
def test_a_joined_process_serves_the_database_on_when_its_owner_has_gone(uri, is_killed):
    with python(OWN, uri, stdin=-1, stdout=-1) as owner:
        owner.stdout.readline()
        joined = open_database(uri)
        transact(joined, lambda connection: connection.root().update(here="before"))
        if is_killed:
            owner.kill()
        owner.stdin.close()
        owner.wait(20)

    transact(joined, lambda connection: connection.root().update(here="after"))
    assert output_of(WRITE, uri) == "after"
    assert transact(joined, lambda connection: connection.root()["there"]) == 1
    joined.close()
    assert not os.path.exists(f"{uri.removeprefix('file://')}.sock")


def test_a_scheduler_outlives_the_script_whose_database_it_joined(uri):
    with python(OWN, uri, stdin=-1, stdout=-1) as owner:
        owner.stdout.readline()
        joined = open_database(uri)
        view = View(joined, transaction.TransactionManager())
        with running(joined, sleep_interval=0.1):
            view.enqueue(Count(nowutc()))
            view.until_counts(finished=1)
            owner.stdin.close()
            owner.wait(20)
            wait_for(lambda: joined.failover._served is not None)
            wait_for(joined.storage.is_connected)
            view.refresh()
            view.enqueue(Count(nowutc()))
            view.until_counts(finished=2)
        view.close()
        joined.close()
