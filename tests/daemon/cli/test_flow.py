"""`indico_scheduler show flow`, `cmd restart` and `cmd cancel_flow`.

Covers `daemon.cli.flow`.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import transaction

from daemon.cli.main import main
from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FINISHED,
    Client,
    nowutc,
)
from scheduler.store import connect
from scheduler.tasks import TaskChain, TaskGroup
from tests.daemon.sample_tasks import Good
from tests.scheduler.harness import Running


@pytest.fixture
def command(uri, capsys):
    """Run a command; return its exit status, and what it prints."""

    def run(*arguments):
        capsys.readouterr()
        status = main([*arguments, "--database", uri])
        printed = capsys.readouterr()
        return status, printed.out or printed.err

    return run


@pytest.fixture
def numbers(uri):
    """The numbers of the tasks of a flow: *first* has finished, *last* waits for the others."""
    with connect(uri) as connection:
        client = Client(connection)
        first, left, last = Good(nowutc()), Good(nowutc() + timedelta(days=1)), Good(nowutc())
        client.enqueue(first)
        client.enqueue(left, after=[first])
        client.enqueue(last, after=[left, first])
        transaction.commit()
        run = Running(uri, sleep_interval=0.1, workers=1)
        try:
            while first.getStatus() != TASK_STATUS_FINISHED or not last.isBlocked():
                transaction.begin()
            while left.isBlocked():
                transaction.begin()
        finally:
            run.scheduler.shutdown()
            run.join()
        return first.getId(), left.getId(), last.getId()


def test_the_flow_of_a_task_is_shown_with_what_each_step_follows(command, numbers):
    first, left, last = numbers
    expected = (
        f"{first} finished Good\n{left} waiting Good (after {first})\n"
        f"{last} blocked Good (after {left}, {first})\n"
    )
    assert command("show", "flow", str(left)) == (0, expected)
    shown = command("show", "task", str(last))[1]
    assert "\nFlow:\n  " + expected.replace("\n", "\n  ").rstrip() in shown
    graph = json.loads(command("show", "flow", str(first), "--json")[1])
    assert [node["state"] for node in graph["nodes"]] == ["finished", "waiting", "blocked"]
    assert {"before": left, "after": last, "when": "finished"} in graph["edges"]
    assert json.loads(command("show", "task", str(first), "--json")[1])["flow"] == graph
    listed = command("show", "tasks", "--state", "blocked")[1].splitlines()[1:]
    assert [line.split()[:2] for line in listed] == [[str(last), "blocked"]]


def test_a_flow_is_cancelled_and_restarted(command, uri, numbers):
    first, left, last = numbers
    assert command("cmd", "restart", str(left))[0] == 1
    assert "has not ended" in command("cmd", "restart", str(left))[1]
    assert command("cmd", "cancel_flow", str(first)) == (
        0,
        "1 task to be cancelled with its flow\n",
    )
    with connect(uri) as connection:
        client = Client(connection)
        run = Running(uri, sleep_interval=0.1, workers=1)
        try:
            while client.getTask(last).getStatus() != TASK_STATUS_ABORTED:
                transaction.begin()
            client.getTask(left).setStartOn(nowutc())
            transaction.commit()
            assert json.loads(command("cmd", "restart", str(left), "--json")[1]) == {
                "number": 1,
                "tasks": [left],
            }
            while client.getTask(last).getStatus() != TASK_STATUS_FINISHED:
                transaction.begin()
        finally:
            run.scheduler.shutdown()
            run.join()
    assert command("show", "flow", str(last))[1].count("finished") == 3


def test_a_flow_of_many_steps_is_not_shown_with_its_task(command, uri):
    with connect(uri) as connection:
        member = Good(nowutc())
        group = TaskGroup([member, *(Good(nowutc()) for _ in range(60))])
        Client(connection).enqueue(TaskChain(group, Good(nowutc())))
        transaction.commit()
        number = member.getId()
    assert "Flow" not in command("show", "task", str(number))[1]
    assert command("show", "flow", str(number))[1].count("\n") == 63


@pytest.fixture
def pending(uri):
    """The number of a step whose turn has not come."""
    with connect(uri) as connection:
        behind = Good(nowutc())
        Client(connection).enqueueChain(Good(nowutc() + timedelta(days=1)), behind)
        transaction.commit()
        return behind.getId()


def test_a_step_is_shown_before_its_turn_by_the_number_that_it_keeps(command, uri, pending):
    assert json.loads(command("show", "task", str(pending), "--json")[1])["state"] == "pending"
    with connect(uri) as connection:
        assert Client(connection).getTask(pending).getId() == pending


@pytest.mark.parametrize("words", ["cancel", "pause", "retry -f", "delete", "prioritize 3"])
def test_what_is_done_with_tasks_is_refused_for_a_step_before_its_turn(command, pending, words):
    verb, *rest = words.split()
    status, printed = command(
        "cmd", verb, str(pending), *(["--to", *rest] if rest == ["3"] else rest)
    )
    assert (status, f"task {pending} is pending" in printed) == (1, True), printed


def test_the_flow_of_a_task_that_there_is_not_is_refused(command, numbers):
    status, printed = command("show", "flow", "4711")
    assert status == 1
    assert "there is no task 4711" in printed
