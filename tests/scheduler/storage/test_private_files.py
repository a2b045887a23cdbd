"""What the product writes is its owner's alone, whatever the umask, also where it exists.

Covers `scheduler.storage.private_blobs`.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from ZODB.blob import Blob

from scheduler.errors import DatabaseUnavailable
from scheduler.storage import embedded
from scheduler.storage.private_files import own_folder
from scheduler.store import open_database, transact

HOLD = """
import fcntl, sys
lock = open(sys.argv[1])
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def seen_by_others(folder):
    """The files in *folder*, and itself, that others have any right to."""
    found = [folder, *folder.rglob("*")]
    return [
        f"{each.relative_to(folder)} {stat.S_IMODE(each.lstat().st_mode):o}"
        for each in found
        if each.lstat().st_mode & 0o077
    ]


def add_blob(connection):
    connection.root()["blob"] = Blob(b"data")


def change_blob(connection):
    with connection.root()["blob"].open("w") as file:
        file.write(b"other")


@pytest.mark.usefixtures("open_umask")
def test_the_database_is_closed_to_others_whatever_the_umask(tmp_path):
    folder = tmp_path / "new" / "var"
    database = open_database(f"file://{folder}/data.fs")
    try:
        transact(database, add_blob)
        transact(database, change_blob)
        assert seen_by_others(folder.parent) == []
        database.pack()
        assert seen_by_others(folder.parent) == []
        joined = open_database(f"file://{folder}/data.fs")
        try:
            transact(joined, lambda connection: connection.root().update(other=Blob(b"more")))
        finally:
            joined.close()
        assert seen_by_others(folder.parent) == []
    finally:
        database.close()
    assert seen_by_others(folder.parent) == []


@pytest.mark.usefixtures("open_umask")
def test_a_database_that_is_there_is_closed_to_others(tmp_path):
    folder = tmp_path / "var"
    uri = f"file://{folder}/data.fs"
    database = open_database(uri)
    transact(database, add_blob)
    database.close()
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o755 if each.is_dir() else 0o644)
    open_database(uri).close()
    assert seen_by_others(folder) == []


@pytest.mark.usefixtures("open_umask")
def test_a_folder_with_files_of_others_stays_as_it_is(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "index.html").write_text("everybody's")
    open_database(f"file://{folder}/data.fs").close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777
    assert [line for line in seen_by_others(folder) if "data.fs" in line] == []


def test_a_folder_of_temporary_files_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o1777)
    assert not own_folder(tmp_path, "data.fs")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_the_holder_of_the_lock_is_named_and_not_a_former_one(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    file = tmp_path / "data.fs"
    open_database(f"file://{file}").close()
    lock = tmp_path / "data.fs.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        lock.write_text(" 999999999\n")
        with pytest.raises(DatabaseUnavailable, match=rf"\(pid {holder.pid}\)"):
            open_database(f"file://{file}")
        holder.stdin.close()


@pytest.mark.usefixtures("open_umask")
def test_the_folder_of_a_database_of_sqlite_is_closed_to_others(tmp_path):
    folder = tmp_path / "new" / "data"
    database = open_database(f"sqlite://?data_dir={folder}")
    transact(database, lambda connection: connection.root().update(a=1))
    database.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    open_database(f"sqlite://?data_dir={folder}").close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
