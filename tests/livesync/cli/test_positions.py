"""Positions as answers and records tell them are taken by the command line.

Covers `livesync.feed.position_text`.
"""

from __future__ import annotations

import json

import pytest
import transaction

from livesync import ActionWrapper, SyncManager
from livesync.cli import main
from livesync.feed.trimmer import trim
from livesync.track.retention_policy import TrackRetention
from scheduler.store import connect
from scheduler.store.position import SCHEMA, token_of
from tests.livesync.agents_for_tests import ReducingAgent
from tests.livesync.stand_ins import Conference


@pytest.fixture
def tokens(tmp_path, monkeypatch):
    """The tokens of three commits, of which the first two are in one bin, and of the beginning."""
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/cli.fs")
    with connect() as connection:
        manager = SyncManager.getDBInstance()
        manager.registerNewAgent(ReducingAgent("a", "A", "", 60))
        events = connection.root()["events"] = [Conference(name) for name in "789"]
        transaction.commit()
        found = [token_of(connection)]
        for second, event in zip((100, 110, 300), events, strict=True):
            manager.add(second, ActionWrapper(second, event, ["data_changed"], event.getId()))
            transaction.commit()
            found.append(token_of(connection))
        manager.sequence()
    return found


def run(capsys, *arguments):
    status = main.main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def listed(capsys, *options):
    status, out, err = run(capsys, "list", "--json", *options)
    assert status == 0, err
    return [entry["id"] for entry in json.loads(out)]


def test_the_track_is_listed_from_the_transaction_behind_a_token(tokens, capsys):
    assert listed(capsys, "--from", tokens[0]) == ["9", "8", "7"]
    assert listed(capsys, "--from", tokens[1]) == ["9", "8"]
    assert listed(capsys, "--from", tokens[3]) == []


def test_the_track_is_listed_up_to_the_transaction_of_a_token(tokens, capsys):
    assert listed(capsys, "--to", tokens[1]) == ["7"]
    assert listed(capsys, "--from", tokens[1], "--to", tokens[2]) == ["8"]


def test_the_changes_of_a_bin_are_listed_by_commits_the_newest_first(tokens, capsys):
    with connect() as connection:
        manager, (event, *_) = SyncManager.getDBInstance(), connection.root()["events"]
        manager.add(300, ActionWrapper(300, event, ["data_changed"], "7"))
        transaction.commit()
    assert listed(capsys) == ["7", "9", "8", "7"]


def test_each_entry_tells_its_token(tokens, capsys):
    entries = json.loads(run(capsys, "list", "--json")[1])
    assert [entry["token"] for entry in entries] == [tokens[3], tokens[2], tokens[1]]


def test_an_agent_is_rewound_to_where_later_changes_begin(tokens, capsys, deliveries):
    run(capsys, "agent", "a", "run")
    deliveries.clear()
    assert run(capsys, "agent", "a", "rewind", tokens[2])[0] == 0
    run(capsys, "agent", "a", "run")
    assert [[record[1] for record in batch] for batch in deliveries["a"]] == [["9"]]
    run(capsys, "agent", "a", "rewind", tokens[1])
    run(capsys, "agent", "a", "run")
    assert [record[1] for record in deliveries["a"][1]] == ["7", "8", "9"]


def test_an_agent_delivers_till_the_transaction_of_a_token(tokens, capsys, deliveries):
    assert run(capsys, "agent", "a", "run", "--till", tokens[1])[0] == 0
    assert [[record[1] for record in batch] for batch in deliveries["a"]] == [["7", "8"]]


def test_nothing_is_delivered_till_before_the_beginning(tokens, capsys, deliveries):
    assert run(capsys, "agent", "a", "simulate", "--till", tokens[0]) == (0, "", "")


@pytest.mark.parametrize(
    "command",
    [("list", "--from"), ("list", "--to"), ("agent", "a", "run", "-t"), ("agent", "a", "rewind")],
)
def test_a_token_from_before_a_restore_is_refused_with_the_reason(tokens, capsys, command):
    with connect() as connection:
        SCHEMA.get(connection).begin_epoch()
        transaction.commit()
    status, _, err = run(capsys, *command, tokens[2])
    assert status == 1
    assert "before the database was restored" in err


def test_a_token_that_is_too_old_is_refused_with_the_oldest(tokens, capsys):
    with connect() as connection:
        manager = SyncManager.getDBInstance()
        manager.removeAgent(manager.getAgent("a"))
        manager.retention = TrackRetention(keep=0)
        transaction.commit()
        trim(connection.db())
    status, _, err = run(capsys, "list", "--from", tokens[1])
    assert status == 1
    oldest = err.split()[-1]
    assert "not kept any more" in err
    assert listed(capsys, "--from", oldest) == []


def test_a_token_of_another_database_is_none(tokens, capsys):
    status, _, err = run(capsys, "list", "--from", "A" * 28)
    assert status == 1
    assert "no position of this database" in err
