"""Passwords of agents: given without being shown, kept encrypted, and told to nobody.

Covers `scheduler.values.command_value`, `daemon.maintenance.resealing`.
"""

from __future__ import annotations

import io

import pytest
from cryptography.fernet import Fernet

from daemon.maintenance.resealing import reseal
from livesync import SyncManager
from livesync.cli.main import main
from scheduler.store import open_database, transact
from scheduler.store.encryption import FILE_VARIABLE, KEY_VARIABLE, unseal

WEBHOOK = ("agent", "add", "hook", "--type", "webhook", "--set", "url=https://example.org/in")
OPENED = {
    "webhook": ("--set", "url=https://ann:hush-url@example.org/in", "--set", "secret=hush"),
    "cernsearch": (
        *("--set", "url=https://example.org/in"),
        *("--set", "username=ann", "--set", "password=hush"),
    ),
    "postgres": ("--set", "dsn=postgresql://ann:hush@db.example.org/relay"),
}


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/data.fs")
    for variable in (KEY_VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


def agent_of(tmp_path, look):
    database = open_database(f"file://{tmp_path}/data.fs")
    try:
        return transact(
            database,
            lambda connection: look(SyncManager.getDBInstance(connection).getAgent("hook")),
        )
    finally:
        database.close()


@pytest.mark.parametrize("how", ["file", "environment", "input"])
def test_a_secret_is_read_from_elsewhere(tmp_path, monkeypatch, capsys, how):
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("HOOK_SECRET", "hush")
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\n"))
    value = {"file": f"@{tmp_path}/secret", "environment": "@env:HOOK_SECRET", "input": "-"}[how]
    assert main([*WEBHOOK, "--set", f"secret={value}"]) == 0
    assert agent_of(tmp_path, lambda agent: agent._secret) == "hush"
    told = capsys.readouterr()
    assert "hush" not in told.out + told.err
    assert "list of processes" not in told.err


def test_a_secret_that_the_list_of_processes_shows_is_told_of(capsys):
    assert main([*WEBHOOK, "--set", "secret=hush"]) == 0
    told = capsys.readouterr()
    assert "the list of processes shows secret; give secret=@FILE" in told.err
    assert "hush" not in told.err


@pytest.mark.parametrize("value", ["@/nowhere/hush", "@env:NO_SUCH_VARIABLE"])
def test_a_secret_that_cannot_be_read_is_told(value, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*WEBHOOK, "--set", f"secret={value}"])
    assert ended.value.code == 2
    assert value.rpartition(":")[2].removeprefix("@") in capsys.readouterr().err


@pytest.mark.parametrize("kind", OPENED)
def test_passwords_of_agents_are_encrypted_where_a_key_is_given(tmp_path, monkeypatch, kind):
    assert main(["agent", "add", "hook", "--type", kind, *OPENED[kind]]) == 0
    before = agent_of(tmp_path, opened)
    assert "hush" in repr(before)
    assert "hush" in agent_of(tmp_path, lambda agent: repr(vars(agent)))

    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    database = open_database(f"file://{tmp_path}/data.fs")
    reseal(database)
    database.pack()
    database.close()
    (tmp_path / "data.fs.old").unlink()
    assert b"hush" not in (tmp_path / "data.fs").read_bytes()
    assert agent_of(tmp_path, opened) == before

    assert main(["agent", "edit", "hook", "--set", "batch_size=7"]) == 0
    assert agent_of(tmp_path, opened) == before
    assert agent_of(tmp_path, lambda agent: agent._batch_size) == 7


def opened(agent):
    """What the agent sends to its target as its own."""
    if hasattr(agent, "_dsn"):
        return unseal(agent._dsn)
    return agent._login(), unseal(vars(agent).get("_secret", ""))


@pytest.mark.parametrize("kind", OPENED)
def test_no_list_shows_a_password(kind, capsys):
    assert main(["agent", "add", "hook", "--type", kind, *OPENED[kind]]) == 0
    main(["agents"])
    main(["agents", "--json"])
    main(["agent", "run", "hook"])
    told = capsys.readouterr()
    assert "hush" not in told.out + told.err
