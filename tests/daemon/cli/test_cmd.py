"""`indico_scheduler show` and `cmd`: what stands where, and directing it.

Covers `scheduler.values.console`, `daemon.cli.main`, `daemon.cli.show`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
import transaction

from daemon.cli.main import main
from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.store import connect
from tests.daemon.sample_tasks import Bad, Beat, Good, Long, Worse
from tests.scheduler.harness import Running

NOBODY = {"number": 0, "tasks": []}


class Desk:
    """A database, commands on it, and a scheduler for as long as one is wanted."""

    def __init__(self, uri, capsys):
        self.uri = uri
        self._capsys = capsys

    def command(self, *arguments):
        """Return the exit status, and what was printed: what --json gave, if that was asked for."""
        self._capsys.readouterr()
        status = main([*arguments, "--database", self.uri])
        printed = self._capsys.readouterr()
        return status, json.loads(printed.out) if "--json" in arguments else printed.out

    def error_of(self, *arguments):
        status = main([*arguments, "--database", self.uri])
        return status, self._capsys.readouterr().err

    def put(self, *tasks):
        with connect(self.uri) as connection:
            for task in tasks:
                Client(connection).enqueue(task)
            transaction.commit()
            return [task.getId() for task in tasks]

    def until(self, number, state):
        self._until(lambda client: client.getTask(number).getStatus() == state)

    def until_empty_spool(self):
        self._until(lambda client: not client.getSpool())

    def _until(self, condition):
        with connect(self.uri) as connection:
            client = Client(connection)
            while not condition(client):
                transaction.begin()

    @contextmanager
    def scheduler(self):
        run = Running(self.uri, sleep_interval=0.1, workers=1)
        try:
            yield
        finally:
            run.scheduler.shutdown("the test is over")
            run.join()

    def rows(self, *arguments):
        _, found = self.command("show", *arguments, "--json")
        return {(row["id"], row["state"]) for row in found}


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(f"file://{tmp_path}/data.fs", capsys)


@pytest.fixture
def failed(desk, tmp_path):
    """The numbers of a Bad, a Worse and a Good task that were run."""
    remedy = str(tmp_path / "remedy")
    numbers = desk.put(Bad(nowutc(), remedy), Worse(nowutc(), remedy), Good(nowutc()))
    with desk.scheduler():
        desk.until(numbers[2], TASK_STATUS_FINISHED)
        desk.until(numbers[1], TASK_STATUS_FAILED)
    return numbers


def test_failed_tasks_are_shown_newest_first_with_their_reasons(desk, failed):
    bad, worse, _ = failed
    _, found = desk.command("show", "failed", "--json")
    assert [row["id"] for row in found] == [worse, bad]
    assert {row["reason"] for row in found} == {"ValueError: no luck"}
    assert {row["tries"] for row in found} == {1}
    status, text = desk.command("show", "failed", "--class", "Bad")
    assert status == 0
    assert text.count("ValueError: no luck") == 1


def test_a_task_is_shown_with_all_there_is_of_its_runs(desk, failed):
    bad, _, good = failed
    _, text = desk.command("show", "task", str(bad))
    for part in ("state:     failed", "Traceback (most recent call last)", "worker:    thread-0/"):
        assert part in text
    _, facts = desk.command("show", "task", str(good), "--json")
    assert facts["class"] == "tests.daemon.sample_tasks.Good"
    assert facts["result"] == "{'answer': 42}"
    assert "all is well" in facts["attempts"][0]["log"][0]


def test_tasks_are_shown_by_state_by_class_and_page_by_page(desk, failed):
    bad, worse, good = failed
    later = nowutc() + timedelta(days=1)
    first, second, third = desk.put(*(Good(later + timedelta(hours=n)) for n in range(3)))
    assert desk.rows("tasks", "--state", "spooled") == {
        (n, "spooled") for n in (first, second, third)
    }
    with desk.scheduler():
        desk.until_empty_spool()
    assert desk.rows("tasks", "--state", "failed") == {(bad, "failed"), (worse, "failed")}
    assert desk.rows("tasks", "--class", "Good", "--state", "finished") == {(good, "finished")}
    assert desk.rows("tasks", "--class", "sample_tasks.Good") == set()
    assert len(desk.rows("tasks", "--class", "tests.daemon.sample_tasks.Good")) == 4
    page = ("tasks", "--state", "waiting", "--limit", "2")
    assert desk.rows(*page) == {(first, "waiting"), (second, "waiting")}
    assert desk.rows(*page, "--offset", "2") == {(third, "waiting")}
    assert "there are more: go on with --offset 2" in desk.error_of("show", *page)[1]


def test_failed_tasks_are_tried_again_one_by_one_or_all_of_a_class(desk, failed, tmp_path):
    bad, worse, _ = failed
    (tmp_path / "remedy").touch()
    assert desk.command("cmd", "retry", str(bad)) == (0, "1 task to be tried again\n")
    with desk.scheduler():
        desk.until(bad, TASK_STATUS_FINISHED)
    assert desk.command("cmd", "retry", "--all", "--class", "Bad", "--json") == (
        0,
        NOBODY,
    )
    found = desk.command("cmd", "retry", "--all", "--class", "Worse", "--since", "1d", "--json")
    assert found == (0, {"number": 1, "tasks": [worse]})
    with desk.scheduler():
        desk.until(worse, TASK_STATUS_FINISHED)


def test_tasks_that_ended_before_a_date_are_not_tried_again(desk, failed):
    date = (nowutc() + timedelta(minutes=1)).isoformat()
    assert desk.command("cmd", "retry", "--all", "--since", date, "--json") == (
        0,
        NOBODY,
    )


def test_a_cancelled_task_is_tried_again_only_by_its_number(desk, tmp_path):
    (number,) = desk.put(Good(nowutc() + timedelta(days=1)))
    assert desk.command("cmd", "cancel", str(number)) == (0, "1 task to be cancelled\n")
    with desk.scheduler():
        desk.until(number, TASK_STATUS_ABORTED)
    assert desk.command("cmd", "retry", "--all", "--json") == (0, NOBODY)
    assert desk.command("cmd", "retry", str(number), "--json") == (
        0,
        {"number": 1, "tasks": [number]},
    )


def test_a_finished_task_is_run_again_only_by_force(desk, failed):
    _, _, good = failed
    status, text = desk.command("cmd", "retry", str(good))
    assert status == 255
    assert text == f"Task {good} has not failed: it is finished (consider -f?)\n"
    assert desk.command("cmd", "retry", str(good), "-f")[0] == 0
    with desk.scheduler():
        desk.until_empty_spool()
        desk._until(lambda client: len(client.getTask(good).getAttempts()) == 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cancel", "GOOD"), "it neither waits nor runs"),
        (("pause", "GOOD"), "it neither waits nor runs"),
        (("cancel", "999999"), "there is no task 999999"),
        (("retry", "BAD", "999999"), "there is no task 999999"),
    ],
)
def test_an_order_that_makes_no_sense_fails_and_changes_nothing(desk, failed, arguments, message):
    bad, _, good = failed
    numbers = {"GOOD": str(good), "BAD": str(bad)}
    status, error = desk.error_of("cmd", *(numbers.get(word, word) for word in arguments))
    assert status == 1
    assert message in error
    assert desk.command("show", "spool") == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("cmd", "retry"),
        ("cmd", "retry", "1", "--all"),
        ("cmd", "retry", "--all", "--since", "yesterday"),
        ("cmd", "cancel"),
        ("cmd", "cancel", "one"),
        ("show", "tasks", "--state", "happy"),
        ("show", "tasks", "--limit", "-1"),
        ("show",),
        ("cmd",),
    ],
)
def test_wrong_usage_is_told_by_the_exit_status(desk, arguments):
    with pytest.raises(SystemExit) as end:
        desk.command(*arguments)
    assert end.value.code == 2


def test_a_task_is_paused_and_resumed(desk):
    (number,) = desk.put(Good(nowutc() + timedelta(seconds=1)))
    assert desk.command("cmd", "pause", str(number))[0] == 0
    with desk.scheduler():
        desk.until_empty_spool()
        assert desk.rows("tasks") == {(number, "paused")}
        assert desk.command("cmd", "resume", str(number))[0] == 0
        desk.until(number, TASK_STATUS_FINISHED)


def test_the_scheduler_is_paused_and_resumed(desk):
    assert desk.command("cmd", "pause", "--json") == (0, {"paused": True})
    (number,) = desk.put(Good(nowutc()))
    with desk.scheduler():
        desk.until_empty_spool()
        assert desk.rows("tasks") == {(number, "waiting")}
        assert "It is paused" in desk.command("show", "status")[1]
        assert desk.command("cmd", "resume")[0] == 0
        desk.until(number, TASK_STATUS_FINISHED)
    _, facts = desk.command("show", "status", "--json")
    assert facts["paused"] is False
    assert facts["finished"] == 1


def test_each_worker_is_shown_with_its_task(desk, tmp_path):
    (number,) = desk.put(Long(nowutc(), str(tmp_path / "go")))
    assert desk.command("show", "workers", "--json") == (0, [])
    with desk.scheduler():
        while True:
            _, found = desk.command("show", "workers", "--json")
            if found and found[0]["task"] == number and found[0]["progress"]:
                break
        assert found[0]["class"] == "tests.daemon.sample_tasks.Long"
        assert found[0]["progress"] == [0.5, "half of it"]
        assert "Long" in desk.command("show", "workers")[1]
        (tmp_path / "go").touch()
        desk.until(number, TASK_STATUS_FINISHED)


def test_a_recurring_task_is_shown_with_its_schedule_and_runs(desk):
    (number,) = desk.put(Beat(3600))
    with desk.scheduler():
        desk._until(lambda client: client.getStatus()["finished"] == 1)
    assert desk.rows("tasks") == {(number, "waiting"), (number, "finished")}
    _, facts = desk.command("show", "task", str(number), "--json")
    assert facts["schedule"].startswith("every 3600 s from ")
    assert [run["state"] for run in facts["occurrences"]] == ["finished"]


def test_a_quarantined_task_is_shown_and_looked_at_again(desk):
    (number,) = desk.put(Good(nowutc() + timedelta(days=1)))
    with connect(desk.uri) as connection:
        module = SchedulerModule.getDBInstance(connection)
        module.clearSpool()
        module.set_aside(connection.get(number.to_bytes(8, "big")), "ImportError: gone")
        transaction.commit()
    assert desk.rows("failed") == {(number, "quarantined")}
    assert "ImportError: gone" in desk.command("show", "task", str(number))[1]
    assert desk.command("cmd", "retry", "--all", "--json") == (0, {"number": 1, "tasks": [number]})
    with desk.scheduler():
        desk.until_empty_spool()
    assert desk.rows("tasks") == {(number, "waiting")}


def test_the_first_of_very_many_tasks_are_shown_without_loading_the_rest(desk):
    later = nowutc() + timedelta(days=1)
    desk.put(*(Good(later) for _ in range(3000)))
    with desk.scheduler():
        desk.until_empty_spool()
    with connect(desk.uri) as connection:
        connection.cacheMinimize()
        before = connection.getTransferCounts(clear=True) and connection.getTransferCounts()[0]
        module = SchedulerModule.getDBInstance(connection)
        from daemon.views.task_rows import rows

        found = rows(module, "waiting")
        assert [next(found).state for _ in range(50)] == ["waiting"] * 50
        assert connection.getTransferCounts()[0] - before < 50


def test_the_objects_that_tasks_fought_over_are_shown(desk):
    with connect(desk.uri) as connection:
        module = SchedulerModule.getDBInstance(connection)
        fought = (0x2A).to_bytes(8, "big")
        module.conflicts.note("shop.Pack", fought, "shop.Stock", 20, nowutc().timestamp())
        transaction.commit()
    status, (shown,) = desk.command("show", "conflicts", "--json")
    assert status == 0
    assert (shown["oid"], shown["kind"], shown["times"]) == ("0x2a", "shop.Stock", 20)
    assert (shown["tasks"], shown["serialized"]) == (["shop.Pack"], True)
    assert "shop.Pack" in desk.command("show", "conflicts")[1]


@pytest.mark.parametrize("number", ["-1", "9223372036854775808", "9" * 40])
@pytest.mark.parametrize(
    "verb", ["retry", "cancel", "cancel_flow", "delete", "pause", "resume", "restart", "prioritize"]
)
def test_a_number_that_no_task_can_have_is_that_of_no_task(desk, verb, number):
    desk.put(Good(nowutc()))
    more = ("--to", "1") if verb == "prioritize" else ()
    status, error = desk.error_of("cmd", verb, number, *more)
    assert status == 1
    assert f"there is no task {number}" in error
