"""A database is copied to any other kind, with history and blobs, also while it is used.

Covers `daemon.maintenance.copy_check`, `daemon.cli.database_copy`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest
import transaction
from ZODB.blob import Blob, is_blob_record
from ZODB.utils import z64

from daemon.cli.main import main
from daemon.maintenance import database_copy
from daemon.maintenance.copy_check import differences
from daemon.maintenance.database_copy import copy, last_of, transactions
from scheduler import Client, nowutc
from scheduler.store import connect
from scheduler.store.database_uri import open_bare
from scheduler.tasks import SampleOneShotTask
from tests import full_disk, postgres
from tests.waiting import DEADLINE

KINDS = ("file", "zeo", "postgres")


@pytest.fixture(scope="module")
def running():
    with postgres.server() as found:
        yield found


@pytest.fixture
def addresses(tmp_path, free_port, running):
    """Return an empty database of each kind, by its URI."""
    with (
        serving(tmp_path, free_port),
        postgres.database(running) as address,
    ):
        join = "&" if "?" in address else "?"
        yield {
            "file": f"file://{tmp_path}/copy.fs",
            "zeo": f"zeo://127.0.0.1:{free_port}?wait_timeout=10&blob_dir={tmp_path}/cache",
            "postgres": f"{address}{join}blob_dir={tmp_path}/blobs&shared_blob_dir=true",
        }


@pytest.fixture
def source(tmp_path):
    """Return the URI of a database with history, tasks and a blob that was changed."""
    uri = f"file://{tmp_path}/source.fs"
    fill(uri)
    return uri


@contextmanager
def serving(folder, port):
    """Run a ZEO server that keeps blobs."""
    (folder / "zeo.conf").write_text(
        f"<zeo>\naddress 127.0.0.1:{port}\n</zeo>\n"
        f"<filestorage>\npath {folder}/zeo.fs\nblob-dir {folder}/zeo.blobs\n</filestorage>\n"
    )
    command = [sys.executable, "-m", "ZEO.runzeo", "-C", str(folder / "zeo.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(DEADLINE)


def fill(uri):
    with connect(uri) as connection:
        Client(connection).enqueue(SampleOneShotTask(nowutc()))
        for number in range(3):
            connection.root()["n"] = number
            connection.root()["blob"] = blob = connection.root().get("blob") or Blob()
            with blob.open("w") as file:
                file.write(b"picture %d" % number)
            transaction.get().note(f"step {number}")
            transaction.get().setExtendedInfo("by", "ann")
            transaction.commit()


def change(uri, number):
    with connect(uri) as connection:
        connection.root()["n"] = number
        transaction.commit()


def content(uri):
    with connect(uri) as connection:
        found = connection.root()
        with found["blob"].open() as blob:
            return found["n"], blob.read(), Client(connection).getStatus()["spooled"]


def quiet(number):
    """Hear of no progress."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_copied_and_can_be_used(addresses, source, capsys, kind):
    target = addresses[kind]
    assert main(["db", "copy", source, target, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["transactions"] > 3, told["differences"]) == (True, [])
    assert content(target) == (2, b"picture 2", 1)
    # New objects get ids of their own, and the copy goes on as the database that it is.
    fill(target)
    assert content(target) == (2, b"picture 2", 2)


@pytest.mark.parametrize("kind", ["zeo", "postgres"])
def test_a_server_is_copied_to_a_file(addresses, kind):
    fill(addresses[kind])
    number, _ = copy(addresses[kind], addresses["file"], quiet, resume=False)
    assert number > 3
    assert list(differences(addresses[kind], addresses["file"], quiet)) == []
    assert content(addresses["file"]) == (2, b"picture 2", 1)


def test_the_database_of_a_server_is_backed_up_and_put_back(addresses, tmp_path, capsys):
    fill(addresses["postgres"])
    backup = ("db", "backup", str(tmp_path / "backup"), "--database", addresses["postgres"])
    assert main(backup) == 0
    change(addresses["postgres"], "later")
    assert main(backup) == 0
    assert "relay.fs has 1 more transactions" in capsys.readouterr().out
    file = f"file://{tmp_path}/backup/relay.fs"
    assert main(["db", "copy", "--new-epoch", file, addresses["zeo"]]) == 0
    assert content(addresses["zeo"])[0] == "later"
    assert main((*backup, "--full")) == 0
    assert len(list((tmp_path / "backup").glob("relay.fs.*.old"))) == 1


def test_what_is_committed_meanwhile_is_copied_too(source, tmp_path):
    target = f"file://{tmp_path}/copy.fs"

    def disturb(number):
        if number in (1, 2):
            change(source, f"changed {number}")

    copy(source, target, disturb, resume=False)
    assert list(differences(source, target, quiet)) == []
    assert content(target)[0] == "changed 2"


def test_a_copy_that_was_broken_off_goes_on(source, tmp_path, capsys):
    target = f"file://{tmp_path}/copy.fs"

    def break_off(number):
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, break_off, resume=False)
    assert main(["db", "copy", source, target]) == 1
    assert "the target is not empty" in capsys.readouterr().err
    assert main(["db", "copy", source, target, "--resume"]) == 0
    change(source, "later")
    assert main(["db", "copy", source, target, "--resume"]) == 0
    assert "1 transactions are copied" in capsys.readouterr().out
    assert content(target)[0] == "later"


def test_another_database_is_never_copied_over(source, tmp_path, capsys):
    target = f"file://{tmp_path}/other.fs"
    fill(target)
    before = content(target)
    for more in ((), ("--resume",)):
        assert main(["db", "copy", source, target, *more]) == 1
    assert "is no beginning of a copy of this source" in capsys.readouterr().err
    assert content(target) == before
    assert main(["db", "copy", source, source]) == 1


def test_a_source_that_is_missing_is_named_and_nothing_is_made(tmp_path, capsys):
    source, target = f"file://{tmp_path}/none.fs", f"file://{tmp_path}/copy.fs"
    assert main(["db", "copy", source, target]) == 1
    assert f"there is no database at {tmp_path}/none.fs" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_found(source, tmp_path, capsys, monkeypatch):
    target = f"file://{tmp_path}/copy.fs"
    copy(source, target, quiet, resume=False)
    with closing(open_bare(target)) as storage:
        last = last_of(storage)
        found = [
            storage.loadBlob(record.oid, each.tid)
            for each in transactions(storage, z64, last)
            for record in each
            if is_blob_record(record.data)
        ]
    with open(found[-1], "r+b") as file:
        file.write(b"P")
    monkeypatch.setattr(database_copy, "ROUNDS", 0)
    assert main(["db", "copy", source, target, "--resume"]) == 1
    assert "differs" in capsys.readouterr().out


def test_a_full_disk_breaks_the_copy_off_and_it_goes_on_later(source, tmp_path, capsys):
    target = f"file://{tmp_path}/copy.fs"
    done = subprocess.run(
        [sys.executable, "-m", "daemon.cli.main", "db", "copy", source, target],
        preexec_fn=lambda: full_disk.limit(0, 2000),
        env=full_disk.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the copy is broken off, and --resume goes on with it: " in line
    assert main(["db", "copy", source, target, "--resume"]) == 0
    assert content(target)[0] == 2
