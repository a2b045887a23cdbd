"""`indico_scheduler db`: looked at, verified, packed, backed up and restored, also in use.

Covers `daemon.maintenance.backup`, `daemon.maintenance.verification`.
"""

from __future__ import annotations

import json
from contextlib import closing

import pytest
import transaction
from ZODB.blob import Blob

from daemon.cli.main import main
from livesync import SyncManager
from scheduler import Client, nowutc
from scheduler.errors import PositionGone
from scheduler.store import connect, open_database, transact
from scheduler.store.position import token_of, tokens_of
from scheduler.tasks import SampleOneShotTask
from tests.livesync.agents_for_tests import ListAgent
from tests.livesync.stand_ins import Conference


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of a database with a task, a blob and an agent that has sent something."""
    file = tmp_path / "var" / "relay.fs"
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{file}")
    with connect() as connection:
        Client(connection).enqueue(SampleOneShotTask(nowutc()))
        connection.root()["blob"] = Blob(b"a picture")
        connection.root()["event"] = Conference("7")
        agent = ListAgent("list", "List", "", 60)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.delivery_state.mark_from(None)
        transaction.commit()
    return file


def change(name, value):
    with connect() as connection:
        connection.root()[name] = value
        transaction.commit()


def root():
    with connect() as connection:
        found = dict(connection.root().items())
        with found["blob"].open() as opened:
            found["blob"] = opened.read()
        mark = SyncManager.getDBInstance(connection).getAgent("list").delivery_state.epoch
        return found.get("n"), found["blob"], mark


@pytest.mark.parametrize("folder", ["/proc/none", "/dev/null", "/dev/null/none"])
@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_folder_that_cannot_be_is_named(file, capsys, verb, folder):
    place = ["--database", f"file://{folder}/relay.fs", str(file.parent)]
    assert main(("db", verb, *([folder] if verb == "backup" else place))) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"indico_scheduler: {folder.removesuffix('/none')}")
    assert told.count("\n") == 1


def test_the_database_is_described(file, capsys):
    assert main(("db", "info", "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == file.stat().st_size
    assert facts["transactions"] == facts["transactions of the last day"] > 1
    assert facts["objects"] > 5
    assert any(part.startswith("scheduler ") for part in facts["layout"]), facts["layout"]


def test_history_is_packed_and_the_date_is_noted(file, capsys):
    for number in range(20):
        change("n", "x" * 10_000 + str(number))
    before = file.stat().st_size
    assert main(("db", "pack", "--keep", "0s")) == 0
    assert file.stat().st_size < before - 100_000
    capsys.readouterr()
    main(("db", "info", "--json"))
    assert json.loads(capsys.readouterr().out)["packed"] is not None


def test_what_cannot_be_read_is_told(file, capsys):
    assert main(("db", "verify")) == 0
    assert "0 have a fault" in capsys.readouterr().out
    content = file.read_bytes()
    place = content.rindex(b"\x80\x03", 0, content.rindex(b"stand_ins"))
    file.write_bytes(content[:place] + b"\xff\xff" + content[place + 2 :])
    for blob in (file.parent / "relay.fs.blobs").rglob("*.blob"):
        blob.unlink()
    assert main(("db", "verify", "--json")) == 1
    found = json.loads(capsys.readouterr().out)["faults"]
    assert len(found) == 2
    assert {each["fault"].split(":")[0] for each in found} == {
        "it cannot be read",
        "it is missing, or its blob is",
    }


def test_a_database_of_postgresql_is_looked_after(postgres_uri, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SCHEDULER_DATABASE", postgres_uri)
    with connect() as connection:
        Client(connection).enqueue(SampleOneShotTask(nowutc()))
        transaction.commit()
    assert main(("db", "verify", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["objects"] > 5
    assert found["faults"] == []
    assert main(("db", "pack")) == 0
    capsys.readouterr()
    assert main(("db", "info", "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["transactions"] == facts["transactions of the last day"] > 1
    assert main(("db", "backup", str(tmp_path / "backup"))) == 0
    assert "relay.fs has" in capsys.readouterr().out
    assert main(("db", "restore", str(tmp_path / "backup"))) == 1
    assert "db copy --new-epoch" in capsys.readouterr().err


def test_a_backup_in_use_is_restored_as_a_new_epoch(file, tmp_path, capsys):
    database = open_database()
    transact(database, tokens_of)
    assert main(("db", "backup", str(tmp_path / "backup"))) == 0
    change("n", 1)
    mark = root()[2]
    backups = tmp_path / "backup"
    for each in backups.glob("20*"):  # another second than that of the next
        each.rename(backups / each.name.replace("20", "19", 1))
    (dat,) = backups.glob("*.dat")
    dat.write_text(dat.read_text().replace(f"{backups}/20", f"{backups}/19"))
    assert main(("db", "backup", str(backups))) == 0
    assert len(list(backups.glob("*.deltafs"))) == 1
    change("n", 2)
    assert main(("db", "restore", str(backups))) == 1
    assert "exists" in capsys.readouterr().err
    assert main(("db", "restore", str(backups), "-f")) == 1
    assert "is in use" in capsys.readouterr().err
    assert root()[0] == 2
    with database.transaction() as connection:
        token = token_of(connection)
        assert tokens_of(connection).read(token)
    database.close()

    assert main(("db", "restore", str(backups), "-f")) == 0
    number, blob, new_mark = root()
    assert (number, blob) == (1, b"a picture")
    assert mark is not None
    assert new_mark is None
    with (
        closing(open_database()) as database,
        database.transaction() as connection,
        pytest.raises(PositionGone, match="restored from a backup"),
    ):
        tokens_of(connection).read(token)
    assert main(("db", "verify")) == 0
    assert len(list(file.parent.glob("relay.fs.*.old"))) == 1


def test_a_backup_comes_to_a_new_place(file, tmp_path, monkeypatch):
    main(("db", "backup", str(tmp_path / "backup")))
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/other/relay.fs")
    assert main(("db", "restore", str(tmp_path / "backup"))) == 0
    assert root()[1] == b"a picture"
    assert main(("show", "tasks")) == 0


def test_a_damaged_backup_changes_nothing(file, tmp_path, capsys):
    main(("db", "backup", str(tmp_path / "backup")))
    (copy,) = (tmp_path / "backup").glob("*.fs")
    copy.chmod(0o600)
    copy.write_bytes(copy.read_bytes()[:-100])
    assert main(("db", "restore", str(tmp_path / "backup"), "-f")) == 1
    assert "cannot be restored" in capsys.readouterr().err
    assert root()[1] == b"a picture"
    assert main(("db", "restore", str(tmp_path / "nowhere"), "-f")) == 1


def test_a_running_daemon_is_backed_up_and_keeps_its_database(command, tmp_path):
    (tmp_path / "relay.toml").write_text("[web]\nport = 0\n")
    started = command("start", "--config", "relay.toml")
    try:
        assert started.returncode == 0, started.stderr
        assert command("db", "backup", "backup").returncode == 0
        refused = command("db", "restore", "backup", "-f")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "is in use" in refused.stderr
    finally:
        stopped = command("stop")
    assert stopped.returncode == 0
    assert command("db", "restore", "backup", "-f").returncode == 0
    assert command("db", "verify").returncode == 0
