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
from ZODB.blob import Blob

from scheduler.storage import embedded_file
from scheduler.store import open_database, transact

THREADS, COMMITS, CUTS = 3, 15, 12


class Report(NamedTuple):
    """A commit that was reported: which it was, and what was synced and written by then."""

    key: str
    synced: int
    written: int


class Disk:
    """Notes how much of *file* is synced, by looking over the shoulder of `os.fsync`."""

    def __init__(self, file, monkeypatch):
        self._file = file
        self._fsync = os.fsync
        self.lock = threading.Lock()
        self.synced = 0
        self.others = set()
        """The other files and folders that were synced, by their paths."""
        monkeypatch.setattr(os, "fsync", self._sync)

    def size(self):
        return self._file.stat().st_size

    def _sync(self, descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        size = self.size() if self._file.exists() else 0
        self._fsync(descriptor)
        if path == str(self._file):
            self.synced = max(self.synced, size)
        else:
            self.others.add(path)


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
    monkeypatch.setattr(embedded_file, "INDEX_BEHIND", 0)
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
