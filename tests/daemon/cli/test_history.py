"""`indico_scheduler blame`, `undo` and `run` with a dry run: looking into what tasks do.

Covers `daemon.cli.dry_run`, `daemon.views.attempt_choice`.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import transaction
from ZODB.utils import u64

from scheduler import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, Client
from scheduler.runtime.origin import enqueued_by
from scheduler.store import connect
from tests.daemon.cli.test_cmd import Desk
from tests.scheduler.bank import Bank, Deposit, Lottery


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(f"file://{tmp_path}/data.fs", capsys)


@pytest.fixture
def ann(desk):
    """The number of an account."""
    with connect(desk.uri) as connection:
        bank = connection.root()["bank"] = Bank()
        transaction.commit()
        return u64(bank.accounts["ann"]._p_oid)


def enqueued(desk, ann, kind, amount):
    with connect(desk.uri) as connection:
        task = kind(connection.get(ann.to_bytes(8)), amount)
        with enqueued_by(user="the bank"):
            Client(connection).enqueue(task)
        transaction.commit()
        return task.getId()


def ran(desk, ann, kind=Deposit, amount=5, state=TASK_STATUS_FINISHED):
    number = enqueued(desk, ann, kind, amount)
    with desk.scheduler():
        desk.until(number, state)
    return number


def test_blame_of_a_task_names_who_enqueued_it(desk, ann):
    facts = desk.command("blame", str(ran(desk, ann)), "--json")[1]
    assert facts["origin"]["user"] == "the bank"


def test_blame_names_the_task_that_changed_an_object(desk, ann):
    number = ran(desk, ann)
    status, facts = desk.command("blame", str(ann), "--json")
    assert status == 0
    assert facts["class"] == "tests.scheduler.bank.Account"
    (culprit,) = facts["by"]
    assert culprit["task"] == number
    assert culprit["attempt"] == 1
    assert culprit["origin"]["user"] == "the bank"
    _, text = desk.command("blame", str(ann))
    assert f"task: {number}" in " ".join(text.split())


def test_blame_of_a_task_lists_what_it_changed(desk, ann):
    number = ran(desk, ann)
    _, facts = desk.command("blame", str(number), "--json")
    (run,) = facts["runs"]
    assert run["changed"] == [f"{ann} tests.scheduler.bank.Account"]


def test_blame_of_nothing_says_so(desk, ann):
    status, error = desk.error_of("blame", "999999")
    assert (status, error) == (1, "indico_scheduler: there is no object 999999 in the database\n")


def test_a_dry_run_prints_what_would_change_and_changes_nothing(desk, ann, tmp_path):
    number = enqueued(desk, ann, Deposit, 5)
    before = (tmp_path / "data.fs").read_bytes()
    status, text = desk.command("run", str(number), "--dry-run")
    assert status == 0
    assert text == (
        f"It would change:\n  {ann} tests.scheduler.bank.Account\n    balance: 100 -> 105\n"
    )
    assert (tmp_path / "data.fs").read_bytes() == before


def test_a_dry_run_that_fails_shows_why(desk, ann):
    number = enqueued(desk, ann, Lottery, -1)
    status, text = desk.command("run", str(number), "--dry-run")
    assert status == 1
    assert "ValueError: lost" in text


def test_an_attempt_is_run_again_as_it_was(desk, ann):
    number = ran(desk, ann, Lottery, -1, TASK_STATUS_FAILED)
    status, text = desk.command("run", str(number), "--as-of-attempt", "1")
    assert status == 0
    assert "As it was: attempt 1 FA" in text
    status, error = desk.error_of("run", str(number), "--as-of-attempt", "3")
    assert status == 1
    assert "there is no attempt 3" in error


def test_attempts_of_a_task_that_was_started_again_are_told_apart_by_their_dates(desk, ann):
    number = ran(desk, ann, Lottery, -1, TASK_STATUS_FAILED)
    with desk.scheduler():
        desk.command("cmd", "retry", str(number))
        desk.until_empty_spool()
        desk.until(number, TASK_STATUS_FAILED)
    with connect(desk.uri) as connection:
        begins = [each.started for each in Client(connection).getTask(number).getAttempts()]
    assert len(begins) == 2
    for begun in begins:
        status, text = desk.command(
            "run", str(number), f"--as-of-attempt={begun:%Y-%m-%dT%H:%M:%S.%f}"
        )
        assert status == 0
        assert f"As it was: attempt 1 FA {begun:%Y-%m-%d %H:%M:%S}" in text


@pytest.mark.parametrize("choice", ["-1", "", "last", "2026-11-30", "1\0"])
def test_a_choice_of_no_attempt_is_refused(desk, choice, capsys):
    with pytest.raises(SystemExit, match="2"):
        desk.command("run", "1", f"--as-of-attempt={choice}")
    assert "is neither the number of an attempt nor a date" in capsys.readouterr().err


def test_a_run_can_be_followed_in_the_debugger(desk, ann):
    number = enqueued(desk, ann, Deposit, 5)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "daemon.cli.main",
            "--database",
            desk.uri,
            "run",
            str(number),
            "--debug",
        ],
        input="p self.amount\ncontinue\n",
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    assert "(Pdb) 5" in done.stdout
    assert "balance: 100 -> 105" in done.stdout


def test_undo_takes_back_what_a_task_changed(desk, ann):
    number = ran(desk, ann)
    status, facts = desk.command("undo", str(number), "--json")
    assert status == 0
    assert facts["restored"] == [f"{ann} tests.scheduler.bank.Account"]
    with connect(desk.uri) as connection:
        assert connection.root()["bank"].accounts["ann"].balance == 100
    _, card = desk.command("show", "task", str(number), "--json")
    assert card["undone"]


def test_undo_names_what_is_in_the_way(desk, ann):
    number, other = ran(desk, ann), ran(desk, ann)
    status, text = desk.command("undo", str(number))
    assert status == 255
    assert f"(task {other}) changed Account {ann}" in text
