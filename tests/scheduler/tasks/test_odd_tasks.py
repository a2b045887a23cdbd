"""Whatever a stored task is or says, the scheduler goes on, and the task is counted.

Covers `daemon.views.task_detail`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest
from ZODB.utils import u64

from daemon.errors import DaemonException
from daemon.views.task_detail import card
from daemon.views.task_rows import dead_letters, rows, shown
from scheduler import SchedulerModule, nowutc
from scheduler.store import open_database, transact
from scheduler.tasks import BaseTask, TaskOccurrence
from scheduler.tasks.firing import Firing
from tests.console import page_of
from tests.scheduler.harness import View, running
from tests.scheduler.odd_tasks import PASSING, all_cases, damage, passing_values, plant, some_cases
from tests.scheduler.sample_tasks import Count

BATCH = 200
CASES = list(all_cases()) if os.environ.get("SOAK") else some_cases(2 * BATCH)
BATCHES = [CASES[start : start + BATCH] for start in range(0, len(CASES), BATCH)]
HEALTHY = 5


@pytest.fixture
def passing():
    yield passing_values(True)
    sys.modules.pop(PASSING, None)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("batch", BATCHES, ids=range(len(BATCHES)))
def test_odd_tasks_end_somewhere_and_others_are_run(tmp_path, passing, batch):
    planted = plant_all(tmp_path, batch)
    passing_values(False)
    database = open_database(f"file://{tmp_path}/data.fs")
    view = View(database)
    look_everywhere(view, planted)
    with running(database, workers=1, shutdown_timeout=5) as run:
        view.enqueue(*(Count(nowutc()) for _ in range(HEALTHY)))
        view.until(lambda: settled(view) or not run.is_alive(), 120)
        assert run.error is None
        assert run.is_alive()
    view.refresh()
    assert view.root["count"] >= HEALTHY
    check(view, planted)
    look_everywhere(view, planted)
    view.close()
    database.close()


def plant_all(tmp_path, batch):
    database = open_database(f"file://{tmp_path}/data.fs")

    def plant_batch(connection):
        connection.root()["count"] = 0
        pairs = [plant(connection, case) for case in batch]
        connection.transaction_manager.savepoint()
        return [(task._p_oid, odd._p_oid) for task, odd in pairs]

    oids = transact(database, plant_batch)
    with database.transaction() as connection:
        mapping = connection.root()["relay"]._p_oid
    for case, (_, odd) in zip(batch, oids, strict=True):
        if case.attribute == "record":
            damage(database, odd, mapping, case.value)
    database.close()
    return {u64(oid): case for case, (oid, _) in zip(batch, oids, strict=True)}


def settled(view):
    status = view.client.getStatus()
    module = SchedulerModule.getDBInstance(view.connection)
    next_due = module.queues.next_due({})
    is_idle = next_due is None or next_due > nowutc().timestamp() + 1
    return not status["running"] and not status["spooled"] and is_idle


def standing(view):
    """Return on which shelves each task stands, by number."""
    module = SchedulerModule.getDBInstance(view.connection)
    found = Counter()
    found.update(u64(task._p_oid) for _, task in module.queues)
    found.update(aside.number for aside in module.aside())
    for index in (module.getFailedIndex(), module.getFinishedIndex()):
        for element in index:
            found.update({u64(each._p_oid) for each in (element, task_of(element))})
    return found


def task_of(element):
    try:
        return element.getTask() if isinstance(element, TaskOccurrence) else element
    except Exception:  # noqa: BLE001 (that is for the listing to deal with)
        return element


def check(view, planted):
    found = standing(view)
    module = SchedulerModule.getDBInstance(view.connection)
    lost = [case for number, case in planted.items() if not found[number] and at_work(view, number)]
    assert not lost, [str(case) for case in lost]
    reasons = {row.id: row.reason for row in dead_letters(module)}
    assert [str(planted.get(number)) for number, reason in reasons.items() if not reason] == []
    assert module.getStatus()["failed"] == len(list(dead_letters(module)))


def at_work(view, number):
    """Say whether the task says itself that it waits or runs, or has ended without a record."""
    task = view.connection.get(number.to_bytes(8, "big"))
    if isinstance(task, Firing) and task._occurrence is not None:
        return not standing(view)[u64(task._occurrence._p_oid)]
    return not isinstance(task, BaseTask) or task._status != 0


def look_everywhere(view, planted):
    """Show each task in every way that there is."""
    view.refresh()
    module = SchedulerModule.getDBInstance(view.connection)
    assert all(row.kind for row in rows(module))
    assert all(shown(obj) for _, obj in module.getSpool())
    assert "Schedulers and workers" in page_of(view.database)
    for number in planted:
        try:
            assert card(view.connection, number)["id"] == number
        except DaemonException as error:
            assert str(number) in str(error)  # noqa: PT017 (that there is none, is an answer)
