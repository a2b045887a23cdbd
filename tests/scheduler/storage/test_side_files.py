"""Commits of others go on while a process opens the data file, and while it syncs a packed one.

Covers `scheduler.storage.side_files`.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing

import pytest

from scheduler.storage import side_files
from scheduler.store import open_database, transact
from tests.waiting import DEADLINE


@pytest.fixture
def uri(tmp_path):
    return f"file://{tmp_path}/data.fs"


@pytest.fixture
def database(uri):
    with closing(open_database(uri)) as database:
        for number in range(20):
            put(database, number)
        yield database


def put(database, number):
    transact(database, lambda own: own.root().update({number: number}))


class Commit:
    """A commit of another thread, that is made once and waited for."""

    def __init__(self, database):
        self._thread = threading.Thread(target=put, args=(database, "meanwhile"), daemon=True)
        self.is_made = False

    def make(self):
        if self._thread.ident is None:
            self._thread.start()
            self._thread.join(DEADLINE / 4)
            self.is_made = not self._thread.is_alive()


def test_a_commit_goes_on_while_another_process_reads_the_file_to_open_it(
    database, uri, monkeypatch
):
    commit, read = Commit(database), side_files.transactions_behind

    def read_and_commit(*arguments):
        for found in read(*arguments):
            commit.make()
            yield found

    monkeypatch.setattr(side_files, "transactions_behind", read_and_commit)
    with closing(open_database(uri)) as opened:
        assert commit.is_made
        assert transact(opened, lambda own: own.root()["meanwhile"]) == "meanwhile"
        put(opened, "behind")
    assert transact(database, lambda own: own.root()["behind"]) == "behind"


def test_a_file_that_is_packed_while_it_is_read_is_opened_as_it_is_then(database, uri, monkeypatch):
    read = side_files.transactions_behind
    has_packed = []

    def read_and_pack(*arguments):
        yield from read(*arguments)
        if not has_packed:
            has_packed.append(True)
            database.pack()

    monkeypatch.setattr(side_files, "transactions_behind", read_and_pack)
    with closing(open_database(uri)) as opened:
        assert has_packed
        assert transact(opened, lambda own: sorted(own.root().keys() & {*range(20)})) == [
            *range(20)
        ]
        put(opened, "behind")
    assert transact(database, lambda own: own.root()["behind"]) == "behind"


@pytest.mark.parametrize("is_kept", [False, True], ids=["dropped", "kept"])
def test_a_commit_goes_on_while_the_packed_file_is_brought_to_the_disk(
    database, uri, monkeypatch, is_kept
):
    monkeypatch.setattr(side_files, "UNSYNCED", 0)
    packed_up_to = time.time()
    time.sleep(0.01)
    for number in range(20 if is_kept else 0):  # what is behind that time is copied as it is
        put(database, number)
    with closing(open_database(uri)) as other:
        commit, fsync = Commit(other), os.fsync
        syncs = []

        def sync(descriptor):
            syncs.append(descriptor)
            if len(syncs) > is_kept:  # the first is of what comes before
                commit.make()
            fsync(descriptor)

        monkeypatch.setattr(side_files.os, "fsync", sync)
        database.pack(packed_up_to)
        assert commit.is_made
        assert transact(database, lambda own: own.root()["meanwhile"]) == "meanwhile"


def test_the_index_that_is_read_ahead_ends_before_what_is_not_whole(database, tmp_path):
    file = tmp_path / "data.fs"
    whole = file.read_bytes()
    first = whole[4 : 4 + 8 + int.from_bytes(whole[12:20], "big")]
    for tail in (b"half a transaction", first):  # the other is whole, but older
        file.write_bytes(whole + tail)
        assert side_files.IndexAhead(str(file)).restored[1] == len(whole)


def test_a_record_that_overruns_its_transaction_is_refused_as_it_was(tmp_path):
    file = tmp_path / "data.fs"
    with closing(open_database(f"file://{file}")) as database:
        put(database, 1)
    (tmp_path / "data.fs.index").unlink(missing_ok=True)
    content = bytearray(file.read_bytes())
    begin = len(content) - 8 - int.from_bytes(content[-8:], "big")
    record = (
        begin + 23 + sum(int.from_bytes(content[begin + at :][:2], "big") for at in (17, 19, 21))
    )
    size = int.from_bytes(content[record + 34 :][:8], "big")
    content[record + 34 : record + 42] = (size + 5).to_bytes(8, "big")
    file.write_bytes(content)
    ahead = side_files.IndexAhead(str(file))
    assert ahead.restored is None or ahead.restored[1] <= begin


def test_a_file_that_is_put_back_in_place_while_it_is_read_is_opened_as_it_is_then(
    uri, tmp_path, monkeypatch
):
    file = tmp_path / "data.fs"
    with closing(open_database(uri)) as database:
        put(database, "early")
        backup = file.read_bytes()
        put(database, "late")
    read = side_files.transactions_behind

    def read_and_restore(*arguments):
        yield from read(*arguments)
        file.write_bytes(backup)

    monkeypatch.setattr(side_files, "transactions_behind", read_and_restore)
    with closing(open_database(uri)) as opened:
        assert transact(opened, lambda own: {*own.root().keys()}) >= {"early"}
        assert transact(opened, lambda own: "late" not in own.root())


def test_threads_that_open_a_file_at_once_save_its_index_both(uri, monkeypatch):
    monkeypatch.setattr("scheduler.storage.embedded_file.INDEX_BEHIND", 0)
    with closing(open_database(uri)) as database:
        put(database, 1)
    opened, written = [], side_files.SideFiles._written_index
    gate = threading.Barrier(2, timeout=DEADLINE)

    def write_together(storage, *arguments):
        name = written(storage, *arguments)
        if len(opened) == 0:
            gate.wait()
        return name

    def open_and_keep():
        opened.append(open_database(uri))

    monkeypatch.setattr(side_files.SideFiles, "_written_index", write_together)
    threads = [threading.Thread(target=open_and_keep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    monkeypatch.undo()
    assert len(opened) == 2
    for each in opened:
        each.close()
