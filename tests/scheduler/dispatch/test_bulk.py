"""Bulk orders: all tasks that a filter chooses, in steps between which others have their turn.

Covers `scheduler.shelves.bulk_order`, `scheduler.shelves.task_filter`, `scheduler.shelves.walk`,
`daemon.cli.bulk`.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from daemon.cli.main import main
from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TaskFilter,
    nowutc,
)
from scheduler.inbox.spool import spool_of
from scheduler.shelves.bulk_order import orders_in
from scheduler.shelves.walk import walk
from scheduler.tasks.handle import TaskHandle
from tests.scheduler import sample_declared as declared
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import FailTimes, Noop

HOUR = timedelta(hours=1)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr("scheduler.dispatch.bulk.CHANGED", 3)
    monkeypatch.setattr("scheduler.dispatch.bulk.LOOKED_AT", 7)


@pytest.fixture
def shelved(relay):
    """Tasks on all shelves, by a name of their own."""
    tasks = {
        "failed": [declared.bad.enqueue(number) for number in range(5)],
        "other": [declared.log_in.enqueue("ann", "hush")],
        "finished": [declared.bare.enqueue(number) for number in range(5)],
    }
    relay.run_due()
    now = relay.clock.now
    tasks |= {
        "mail": [declared.send.enqueueIn(3600, str(number)) for number in range(5)],
        "same": [Noop(now + HOUR) for _ in range(8)],
        "later": [Noop(now + 2 * HOUR) for _ in range(2)],
        "keyed": [declared.fetch.enqueue("a", number) for number in range(6)],
    }
    relay.enqueue(*tasks["same"], *tasks["later"])
    relay.run_due()
    return tasks


def ended(tasks, status):
    return {task for task in tasks if task.getStatus() == status}


def test_the_walk_meets_each_task_once_from_any_position_on(relay, shelved):
    module = relay.client._module
    everything = list(walk(module, TaskFilter()))
    met = [found.task for found in everything]
    assert len(met) == len(set(met)) == sum(map(len, shelved.values()))
    for number, found in enumerate(everything):
        rest = walk(module, TaskFilter(), found.position)
        assert [each.task for each in rest] == met[number + 1 :]


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ({"name": "bad"}, {"failed"}),
        ({"name": "tests.scheduler.sample_declared.bad", "state": "failed"}, {"failed"}),
        ({"state": "failed"}, {"failed", "other"}),
        ({"text": "NO LUCK WITH"}, {"failed"}),
        ({"queue": "mail"}, {"mail"}),
        ({"name": "Noop", "until": HOUR}, {"same"}),
        ({"name": "Noop", "since": HOUR * 1.5}, {"later"}),
        ({"state": "finished", "name": "bare"}, {"finished"}),
        ({"name": "bad", "state": "waiting"}, set()),
    ],
)
def test_a_filter_chooses_tasks(relay, shelved, criteria, names):
    dates = {name: each for name, each in criteria.items() if name in ("since", "until")}
    criteria = criteria | {name: relay.clock.now + each for name, each in dates.items()}
    chosen = TaskFilter(**criteria)
    expected = {task for name in names for task in shelved[name]}
    assert set(relay.client.select(chosen)) == expected
    assert relay.client.count(chosen) == len(expected)


@pytest.mark.usefixtures("small_steps")
def test_chosen_tasks_are_cancelled_in_steps(relay, shelved):
    relay.client.cancelAll(TaskFilter(name="Noop"))
    relay.run_due()
    assert ended(shelved["same"] + shelved["later"], TASK_STATUS_ABORTED) == {
        *shelved["same"],
        *shelved["later"],
    }
    assert ended(shelved["mail"], TASK_STATUS_QUEUED) == set(shelved["mail"])


@pytest.mark.usefixtures("small_steps")
def test_failed_tasks_are_started_again_once_each_though_they_fail_again(relay, shelved):
    relay.clock.advance(5)
    relay.client.retryAll(TaskFilter(name="bad"))
    relay.run_due()
    assert [len(task.getAttempts()) for task in shelved["failed"]] == [2] * 5
    assert len(shelved["other"][0].getAttempts()) == 1


@pytest.mark.usefixtures("small_steps")
def test_chosen_tasks_are_deleted_wherever_they_stand(relay, shelved):
    relay.client.deleteAll(TaskFilter(name="fetch"))
    relay.client.deleteAll(TaskFilter(state="finished"))
    relay.client.deleteAll(TaskFilter(text="no luck"))
    relay.run_due()
    gone = [*shelved["keyed"], *shelved["finished"], *shelved["failed"]]
    assert ended(gone, TASK_STATUS_NONE) == set(gone)
    assert ended(shelved["other"], TASK_STATUS_FAILED) == set(shelved["other"])
    assert relay.client.getStatus()["finished"] == 0


@pytest.mark.usefixtures("small_steps")
def test_chosen_tasks_are_moved(relay, shelved):
    date = relay.clock.now + 3 * HOUR
    relay.client.moveAll(TaskFilter(queue="mail"), date)
    relay.client.moveAll(TaskFilter(name="Noop"), date)
    relay.run_due()
    moved = [*shelved["mail"], *shelved["same"], *shelved["later"]]
    assert {task.getDueOn() for task in moved} == {date}


@pytest.mark.usefixtures("small_steps")
def test_chosen_tasks_get_another_priority(relay, shelved):
    relay.client.prioritizeAll(TaskFilter(queue="mail"), 9)
    relay.client.prioritizeTask(shelved["same"][3], 2)
    relay.run_due()
    slots = {TaskHandle(task).slot[:2] for task in shelved["mail"]}
    assert slots == {("mail", 9)}
    assert TaskHandle(shelved["same"][3]).slot[:2] == ("", 2)
    relay.clock.advance(3600)
    relay.run_due()
    assert ended(shelved["same"] + shelved["mail"], TASK_STATUS_FINISHED) == {
        *shelved["same"],
        *shelved["mail"],
    }
    with pytest.raises(TypeError, match="whole number"):
        relay.client.prioritizeTask(shelved["same"][0], 1.5)


def test_a_running_task_has_its_new_priority_afterwards(view, database):
    task = view.enqueue(FailTimes(nowutc(), 1))
    view.client.prioritizeTask(task, 7)
    view.commit()
    with running(database, task_max_tries=2):
        view.until_counts(finished=1)
    assert task.priority == 7


def test_tasks_that_are_enqueued_after_the_order_are_not_meant(relay, shelved):
    relay.client.cancelAll(TaskFilter(name="Noop"))
    relay.clock.advance(1)
    late = Noop(relay.clock.now + HOUR)
    relay.enqueue(late)
    relay.run_due()
    assert late.getStatus() == TASK_STATUS_QUEUED


def test_cancelled_tasks_are_started_again_only_when_they_are_named(relay, shelved):
    relay.client.cancelAll(TaskFilter(name="Noop"))
    relay.run_due()
    relay.clock.advance(1)
    relay.client.retryAll(TaskFilter(name="Noop"))
    relay.run_due()
    assert len(ended(shelved["same"], TASK_STATUS_ABORTED)) == 8
    relay.client.retryAll(TaskFilter(name="Noop", state="aborted"))
    relay.run_due()
    assert len(ended(shelved["same"], TASK_STATUS_QUEUED)) == 8


def test_quarantined_calls_are_started_again_once_their_function_is_back(relay):
    call = declared.send.enqueue("ann@example.org")
    call._name = f"{declared.__name__}:gone"
    relay.run_due()
    quarantined = TaskFilter(state="quarantined", name="gone", text="no attribute 'gone'")
    assert relay.client.count(quarantined) == 1
    call._name = f"{declared.__name__}:send"
    relay.client.retryAll(TaskFilter(state="quarantined"))
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_FINISHED


def test_an_order_tells_how_far_it_has_come_and_goes_on_after_a_restart(
    view, database, monkeypatch
):
    monkeypatch.setattr("scheduler.dispatch.bulk.CHANGED", 1)
    view.enqueue(*(Noop(nowutc() + HOUR) for _ in range(200)))
    view.client.cancelAll(TaskFilter(name="Noop"))
    view.commit()
    with running(database):
        view.until(lambda: view.counts().get("failed"))
    view.refresh()
    [order] = orders_in(spool_of(view.connection))
    assert order.done == view.counts()["failed"]
    monkeypatch.setattr("scheduler.dispatch.bulk.CHANGED", 100)
    with running(database):
        view.until_counts(failed=200)


def test_spooled_tasks_are_counted_and_meant(relay):
    task = Noop(relay.clock.now + HOUR)
    relay.enqueue(task)
    chosen = TaskFilter(name="Noop")
    assert relay.client.count(chosen) == relay.client.count(TaskFilter(state="spooled")) == 1
    relay.client.cancelAll(chosen)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_ABORTED


def test_an_order_that_makes_no_sense_is_refused(relay):
    with pytest.raises(ValueError, match="tasks that are finished are not to cancel"):
        relay.client.cancelAll(TaskFilter(state="finished"))
    with pytest.raises(ValueError, match="state is 'faild'; it must be one of"):
        TaskFilter(state="faild")
    with pytest.raises(ValueError, match="since"):
        TaskFilter(since=nowutc().replace(tzinfo=None))


def test_other_tasks_are_run_while_an_order_is_carried_out(view, database, monkeypatch):
    monkeypatch.setattr("scheduler.dispatch.bulk.CHANGED", 1)
    view.enqueue(*(Noop(nowutc() + HOUR) for _ in range(300)))
    with running(database):
        view.until_counts(waiting=300)
        view.client.cancelAll(TaskFilter(name="Noop"))
        view.commit()
        urgent = [declared.bare.enqueue(number) for number in range(3)]
        view.commit()
        view.until(lambda: all(task.getStatus() == TASK_STATUS_FINISHED for task in urgent))
        first = max(task.getEndedOn() for task in urgent)
        view.until_counts(failed=300, finished=3)
    assert max(task.getEndedOn() for task in view.client.select(TaskFilter(name="Noop"))) > first


def test_commands_choose_by_filter_and_count_first(view, database, uri, capsys):
    def command(*arguments):
        status = main(["cmd", *arguments, "--json", "--database", uri])
        output = capsys.readouterr()
        return status, json.loads(output.out) if output.out else output.err

    waiting = [Noop(nowutc() + HOUR) for _ in range(6)]
    view.enqueue(*waiting)
    bad = [declared.bad.enqueue(number) for number in range(2)]
    view.commit()
    with running(database):
        view.until_counts(waiting=6, failed=2)
        assert command("cancel", "--all", "--name", "Noop", "--dry-run") == (0, {"number": 6})
        assert command("move", "--all", "--name", "Noop", "--to", "2d") == (0, {"number": 6})
        view.until(lambda: all(task.getDueOn() > nowutc() + 30 * HOUR for task in waiting))
        assert command("prioritize", "--all", "--name", "*noop", "--to", "3")[1] == {"number": 6}
        number = waiting[0].getId()
        told = command("prioritize", str(number), "--to", "4")[1]
        assert told == {"number": 1, "tasks": [number]}
        view.until(lambda: [task.priority for task in waiting] == [4, 3, 3, 3, 3, 3])
        assert command("cancel", "--all", "--name", "Noop") == (0, {"number": 6})
        view.until_counts(failed=8)
        dry = command("retry", "--all", "--text", "luck with int", "--dry-run")
        assert set(dry[1]["tasks"]) == {task.getId() for task in bad}
        assert command("delete", "--all", "--state", "aborted") == (0, {"number": 6})
        view.until_counts(failed=2)
        number = bad[0].getId()
        assert command("delete", str(number)) == (0, {"number": 1, "tasks": [number]})
        view.until_counts(failed=1)
    assert command("cancel", "--all", "--state", "finished")[0] == 1
    assert command("cancel", "1", "--queue", "mail") == (
        1,
        '{"error": "--class, --since and the like choose among --all: give that, too", '
        '"status": 1}\n',
    )
