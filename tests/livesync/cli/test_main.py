"""`indico_livesync` (reference 4.4).

Covers `livesync.cli.run`, `livesync.cli.show`, `livesync.cli.progress`.
"""

from __future__ import annotations

import io

import pytest
import transaction

from livesync import ActionWrapper, SyncManager
from livesync.cli import main
from scheduler import SchedulerModule
from scheduler.store import connect
from tests.livesync.agents_for_tests import FailingAgent, ListAgent, ReducingAgent
from tests.livesync.stand_ins import Conference


@pytest.fixture
def uri(tmp_path, monkeypatch):
    uri = f"file://{tmp_path}/cli.fs"
    monkeypatch.setenv("SCHEDULER_DATABASE", uri)
    with connect() as connection:
        manager = SyncManager.getDBInstance()
        manager.registerNewAgent(ReducingAgent("reducing", "Reducing", "", 60))
        manager.registerNewAgent(ListAgent("list", "List", "", 60))
        manager.registerNewAgent(FailingAgent("failing", "Failing", "", 60))
        event = connection.root()["event"] = Conference("7")
        for second in (100, 200, 310):
            manager.add(second, ActionWrapper(second, event, ["data_changed"], "7"))
        manager.getTrack().movePointer("list", 1)
        transaction.commit()
    return uri


@pytest.fixture
def answers(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def positions(output):
    return [int(line.split()[0]) for line in output.splitlines()]


def test_without_a_command_usage_is_printed_and_2_returned(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main([])

    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "usage: indico_livesync [-h] {destroy,list,agent} ...\n"
        "indico_livesync: error: too few arguments\n"
    )


def test_an_agent_needs_a_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main(["agent", "list"])

    assert stop.value.code == 2


def test_list_shows_entries_newest_first(uri, capsys):
    assert main.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert positions("\n".join(lines)) == [3, 2, 1]
    assert lines[0].startswith("3 <ActionWrapper@0x")
    assert lines[0].endswith("(<Conference 7> 7) [data_changed] 310>")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--from", "2", "--to", "3"], [3, 2]),
        (["--to", "2"], [2, 1]),
        (["--from", "3"], [3]),
        (["--pointer", "list"], [3, 2]),
        (["--pointer", "list", "--to", "2"], [2]),
    ],
)
def test_list_includes_both_ends_and_starts_behind_a_pointer(uri, capsys, options, expected):
    assert main.main(["list", *options]) == 0
    assert positions(capsys.readouterr().out) == expected


def test_the_database_may_be_named_before_or_behind_the_command(uri, capsys, monkeypatch):
    monkeypatch.delenv("SCHEDULER_DATABASE")

    assert main.main(["--database", uri, "list"]) == 0
    assert main.main(["list", "--database", uri]) == 0
    assert positions(capsys.readouterr().out) == [3, 2, 1] * 2


@pytest.mark.parametrize(
    "command", [["list", "--pointer", "nobody"], ["agent", "nobody", "simulate"]]
)
def test_an_unknown_name_is_told_on_stderr(uri, capsys, command):
    assert main.main(command) == 1
    assert "nobody" in capsys.readouterr().err


def test_a_database_that_cannot_be_opened_is_told_on_stderr(capsys):
    assert main.main(["list", "--database", "nonsense://here"]) == 1
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "n\n", "y\nno\n", "yes\ny\n"])
def test_destroy_takes_only_y_twice(uri, capsys, answers, text):
    answers(text)

    assert main.main(["destroy"]) == 1
    assert main.main(["list"]) == 0
    assert "ActionWrapper" in capsys.readouterr().out


def test_destroy_empties_track_and_agents(uri, capsys, answers):
    answers("y\nY\n")

    assert main.main(["destroy"]) == 0
    assert capsys.readouterr().out == (
        "Are you sure you want to empty the MPT? [y/N] Really... is this what you want? [y/N] "
    )
    with connect():
        assert SyncManager.getDBInstance().getTrack().is_empty()
        assert SyncManager.getDBInstance().getAllAgents() == {}


def test_destroy_of_the_track_keeps_agents(uri, answers):
    answers("y\ny\n")

    assert main.main(["destroy", "--track-only"]) == 0
    with connect():
        assert sorted(SyncManager.getDBInstance().getAllAgents()) == [
            "failing",
            "list",
            "reducing",
        ]


def test_simulate_shows_records_and_sends_nothing(uri, capsys, deliveries):
    assert main.main(["agent", "reducing", "simulate"]) == 0
    assert capsys.readouterr().out == f"{'<Conference 7>':40} {'7':20} MOD\n"
    assert deliveries == {}


def test_export_sends_what_is_only_on_the_track_too_and_acknowledges(
    uri, capsys, answers, deliveries
):
    answers("y\n")
    assert main.main(["agent", "reducing", "export"]) == 0
    assert capsys.readouterr().out.endswith(
        "1 records are sent; the agent follows from position 3\n"
    )
    answers("y\n")
    assert main.main(["agent", "reducing", "export"]) == 0

    assert [len(batch) for batch in deliveries["reducing"]] == [1]


def test_a_refused_export_sends_nothing(uri, answers, deliveries):
    answers("\n")

    assert main.main(["agent", "list", "export"]) == 1
    assert deliveries == {}


def test_a_failed_export_says_why_and_moves_nothing(uri, capsys, answers):
    answers("y\n")

    assert main.main(["agent", "failing", "export"]) == 1
    assert "the target is down" in capsys.readouterr().err
    with connect():
        assert SyncManager.getDBInstance().getTrack().getPointers()["failing"] is None


def test_add_task_enqueues_the_task(uri):
    assert main.main(["agent", "list", "add_task", "--interval", "5"]) == 0
    with connect():
        assert SchedulerModule.getDBInstance().getStatus()["spooled"] == 1
