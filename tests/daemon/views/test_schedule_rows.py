"""Schedules as the command line and the page list and drop them.

Covers `daemon.views.schedule_rows`.
"""

from __future__ import annotations

import json

import pytest
import transaction

from daemon.cli.main import main
from daemon.views.schedule_rows import schedule_rows
from scheduler import Client, SchedulerModule
from scheduler.dispatch.declaration import declare, declared_in
from scheduler.store import open_database, transact, using
from scheduler.tasks.call import found
from scheduler.testing import Relay, StandingClock
from tests.console import page_of
from tests.daemon import sample_schedules
from tests.daemon.sample_tasks import Beat

NAME = "tests.daemon.sample_schedules"


@pytest.fixture
def database(tmp_path):
    """A database with declared schedules, one of which has been run, and one has vanished."""
    database = open_database(f"file://{tmp_path}/data.fs")
    connection = database.open()
    clock = StandingClock()
    with using(connection):
        functions = declared_in([sample_schedules])
        transact(database, lambda own: declare(own, functions))
        relay = Relay(database, connection, clock)
        relay.enqueue(Beat(3600))
        clock.advance(1)
        relay.run_due()
        kept = {path: each for path, each in functions.items() if not path.endswith(":rarely")}
        transact(database, lambda own: declare(own, kept))
    transaction.abort()
    connection.close()
    yield database
    database.close()


@pytest.fixture
def rows(database, tmp_path, capsys):
    def rows():
        capsys.readouterr()
        main(["show", "schedules", "--json", "--database", f"file://{tmp_path}/data.fs"])
        return {row["name"]: row for row in json.loads(capsys.readouterr().out)}

    return rows


def test_schedules_are_listed_with_next_and_last_attempt(rows):
    listed = rows()
    assert {name: row["declared"] for name, row in listed.items()} == {
        f"{NAME}.fail_often": "yes",
        f"{NAME}.rarely": "vanished",
        "tests.daemon.sample_tasks.Beat": "no",
    }
    often = listed[f"{NAME}.fail_often"]
    assert often["last_state"] == "failed"
    assert often["reason"] == "ValueError: as always"
    assert often["state"] == "waiting"
    assert often["next"] > often["last"]
    rarely = listed[f"{NAME}.rarely"]
    assert (rarely["last"], rarely["schedule"]) == (None, "cron 0 0 1 1 * UTC")


def test_a_paused_schedule_is_listed_behind_however_many_waiting_tasks(database):
    clock = StandingClock()
    connection = database.open()
    with using(connection):
        relay = Relay(database, connection, clock)
        beat = Beat(7200)
        relay.enqueue(beat)
        relay.client.pauseTask(beat)
        relay.run_due()
        module = SchedulerModule.getDBInstance(connection)
        listed = [row for row in schedule_rows(relay.client, module, 1) if row.id == beat.getId()]
        assert [row.state for row in listed] == ["paused"]
    transaction.abort()
    connection.close()


def test_a_schedule_whose_function_is_gone_is_shown_by_its_rule_and_says_why(rows, monkeypatch):
    monkeypatch.delattr(sample_schedules, "rarely")
    found.cache_clear()
    rarely = rows()[f"{NAME}.rarely"]
    assert (rarely["state"], rarely["schedule"]) == ("waiting", "cron 0 0 1 1 * UTC")
    assert "has no attribute 'rarely'" in rarely["reason"]
    found.cache_clear()


def test_a_vanished_schedule_is_dropped_and_an_unknown_one_named(database, rows, capsys, tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    assert main(["cmd", "drop_schedule", "--database", uri]) == 0
    assert main(["cmd", "drop_schedule", "nothing", "--database", uri]) == 1
    assert f"there are {NAME}.fail_often, {NAME}.rarely" in capsys.readouterr().err
    connection = database.open()
    with using(connection):
        Relay(database, connection, StandingClock()).run_due()
        assert set(Client().getSchedules()) == {f"{NAME}.fail_often"}
    transaction.abort()
    connection.close()
    assert f"{NAME}.rarely" not in rows()


def test_the_page_lists_declared_schedules(database):
    page = page_of(database)
    assert f"{NAME}.fail_often</td><td>yes</td>" in page
    assert "<td>vanished</td>" in page
