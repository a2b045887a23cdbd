"""The transactions of a database are read while others write to it."""

from __future__ import annotations

import gc
import os
import threading
from contextlib import closing

import pytest
from ZODB import DB
from ZODB.FileStorage import FileStorage

from livesync.feed.delivery_waits import WaitToken, refuse_if_gone
from scheduler.errors import UnfinishedCommit
from scheduler.storage import stored_transactions as module
from scheduler.storage.embedded_server import EmbeddedServer
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store import open_database, transact
from scheduler.store.history import is_lost
from scheduler.store.read_view import read_view
from tests.faults.processes import serving

TAILS = {
    "a part of a record": b"\xff" * 60,
    "room that is still empty": bytes(60),
    "the number of another place": bytes(7) + b"\x10" + bytes(24),
    "the beginning of a transaction": b"abc",
}


def commit(connection, size=100):
    connection.root()["bytes"] = os.urandom(size)


def tids(database, *limits):
    return [each.tid for each in stored_transactions(database.storage, *limits)]


@pytest.fixture
def over_zeo(tmp_path, free_port):
    with serving(tmp_path / "zeo.fs", free_port):
        database = open_database(f"zeo://127.0.0.1:{free_port}?wait_timeout=10")
        for _ in range(3):
            transact(database, commit)
        yield database
        database.close()


# An iterator of ZODB that meets half a commit leaves its file to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_last_transaction_is_told_by_a_server_into_whose_file_a_thread_writes(tmp_path):
    # So large that a part of each commit is in the file for a while.
    database = DB(FileStorage(str(tmp_path / "data.fs")))
    transact(database, commit)
    server = EmbeddedServer(database, f"{tmp_path}/server")

    def write():
        for _ in range(4):
            transact(database, lambda found: commit(found, 10_000_000))

    writing = threading.Thread(target=write)
    with closing(open_database(f"zeo://{server.path}?wait_timeout=10")) as client:
        writing.start()
        while writing.is_alive():
            for reader in (client, database):
                last = reader.lastTransaction()
                assert tids(reader, last, last) == [last]
        writing.join()
    server.close()
    database.close()
    gc.collect()


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS.keys())
def test_half_a_commit_that_stays_is_named_until_the_next_commit(
    over_zeo, tail, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    last = over_zeo.lastTransaction()
    with open(tmp_path / "zeo.fs", "ab") as file:
        file.write(tail)  # the disk of the server is full
    with pytest.raises(UnfinishedCommit, match="half a commit at its end"):
        tids(over_zeo, last)
    transact(over_zeo, commit)
    assert len(tids(over_zeo, last)) == 2


def test_a_token_is_good_while_half_a_commit_stands_at_the_end_of_a_servers_file(
    over_zeo, tmp_path
):
    with read_view(over_zeo) as view:
        token = WaitToken("agent", int.from_bytes(over_zeo.lastTransaction()))
        with open(tmp_path / "zeo.fs", "ab") as file:
            file.write(b"\xff" * 60)
        ending = threading.Timer(0.2, lambda: transact(over_zeo, commit))
        ending.start()
        refuse_if_gone(token, view)
        ending.join()
        assert not is_lost(over_zeo, token.tid)
