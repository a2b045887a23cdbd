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


def test_an_index_is_read_without_what_a_process_was_about_to_write(database, uri, tmp_path):
    size = (tmp_path / "data.fs").stat().st_size
    with open(tmp_path / "data.fs", "ab") as file:
        file.write(b"half a transaction")
    assert side_files.IndexAhead(str(tmp_path / "data.fs")).restored[1] == size
