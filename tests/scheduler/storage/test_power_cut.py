"""The power is cut between a write and its sync: what was reported as committed is there.

The file as of a moment is cut anywhere between its last synced byte and its end, or the rest
of it is zeros, as file systems leave it.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from transaction import TransactionManager
from ZODB.blob import Blob

from scheduler.storage import side_files
from scheduler.store import open_database, transact
from scheduler.store.commit import commit_lazily, reach_disk
from tests.disk import Disk

THREADS, COMMITS, CUTS = 3, 15, 12


class Report(NamedTuple):
    """A commit that was reported: which it was, and what was synced and written by then."""

    key: str
    synced: int
    written: int


@pytest.fixture
def disk(tmp_path, monkeypatch):
    return Disk(tmp_path / "data.fs", monkeypatch)


def commit_some(database, disk, name, reports):
    for number in range(COMMITS):
        key = f"{name}-{number}"
        transact(database, lambda own, key=key: own.root().update({key: os.urandom(200)}))
        with disk.lock:
            reports.append(Report(key, disk.synced, disk.size()))


def keys_after(folder, written, index):
    """Return the keys in the database whose file holds just the bytes *written*."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "data.fs").write_bytes(written)
    if index is not None:
        shutil.copy(index, folder)
    with closing(open_database(f"file://{folder}/data.fs")) as database:
        return transact(database, lambda own: set(own.root()))


def test_reported_commits_are_there_wherever_the_file_is_cut_behind_its_last_sync(
    tmp_path, disk, monkeypatch
):
    monkeypatch.setattr(side_files, "INDEX_BEHIND", 0)
    reports = []
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        work = [
            threading.Thread(target=commit_some, args=(database, disk, f"thread {at}", reports))
            for at in range(THREADS)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
    content = (tmp_path / "data.fs").read_bytes()
    draw = random.Random(5)
    for at in sorted(draw.sample(range(len(reports)), CUTS)):
        moment = reports[at]
        end = draw.randint(moment.synced, moment.written)
        rest = b"" if draw.random() < 0.5 else bytes(moment.written - end)
        # The index may have come to the disk before the file.
        index = tmp_path / "data.fs.index" if draw.random() < 0.5 else None
        there = keys_after(tmp_path / "after", content[:end] + rest, index)
        assert {report.key for report in reports[: at + 1]} - there == set()


def test_a_new_file_and_a_packed_one_are_synced_with_the_folder_that_names_them(tmp_path, disk):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        assert str(tmp_path) in disk.others
        for number in range(5):
            transact(database, lambda own, number=number: own.root().update(number=number))
        disk.others.clear()
        database.pack()
        assert {str(tmp_path), f"{tmp_path}/data.fs.pack"} <= disk.others


def test_a_blob_is_synced_with_its_folders_before_its_commit_is_reported(tmp_path, disk):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        transact(database, lambda own: own.root().update(blob=Blob(b"content")))
        found = [path for path in disk.others if path.endswith(".blob")]
        assert [Path(path).read_bytes() for path in found] == [b"content"]
        folders = set(found[0].removeprefix(f"{tmp_path}/data.fs.blobs/").split("/")[:-1])
        assert folders
        assert os.path.dirname(found[0]) in disk.others
        assert f"{tmp_path}/data.fs.blobs" in disk.others


def test_a_lazy_commit_is_not_waited_for_and_comes_to_the_disk_with_the_next(tmp_path, disk):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        manager = TransactionManager()
        connection = database.open(manager)
        before = disk.synced
        commit_lazily(manager.begin())
        connection.root()["lazy"] = True
        manager.commit()
        assert disk.synced == before < disk.size()
        transact(database, lambda own: own.root().update(waited_for=True))
        assert disk.synced == disk.size()
        connection.close()


def test_a_lazy_commit_is_on_the_disk_once_somebody_asks_for_it(tmp_path, disk):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        manager = TransactionManager()
        connection = database.open(manager)
        commit_lazily(manager.begin())
        connection.root()["lazy"] = True
        manager.commit()
        reach_disk(connection)
        assert disk.synced == disk.size()
        connection.close()


def test_what_is_on_the_disk_is_not_synced_once_more(tmp_path, disk):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        transact(database, lambda own: own.root().update(waited_for=True))
        connection = database.open(TransactionManager())
        before = disk.syncs
        reach_disk(connection)
        assert disk.syncs == before
        connection.close()
