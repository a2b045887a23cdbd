"""Shelves whose stored entries or nodes are damaged: the running list, the queue, the spool."""

from __future__ import annotations

import math

import pytest
from persistent.mapping import PersistentMapping
from ZODB.utils import u64

from scheduler import Scheduler, SchedulerModule, nowutc
from scheduler.errors import DatabaseDamaged
from scheduler.states import ENDED, TASK_STATUS_QUEUED
from scheduler.store import open_database
from tests.scheduler.harness import running
from tests.scheduler.odd_tasks import damage
from tests.scheduler.sample_tasks import Count, Noop

LAST = 3


@pytest.fixture
def module(view):
    view.root["count"] = 0
    return SchedulerModule.getDBInstance(view.connection)


@pytest.mark.parametrize("number", [-5, 0, LAST + 1, 10**400, None, math.inf, "one", True])
def test_a_task_whose_claim_has_an_absurd_number_ends_and_others_are_run(
    view, database, module, number
):
    task = Noop(nowutc())
    view.connection.add(task)
    task._status = TASK_STATUS_QUEUED
    tid = task.getId()
    module.running._last = LAST
    module.running._claims[tid] = (task, number, nowutc().timestamp())
    module.running._length.change(1)
    view.commit()
    with running(database, task_max_tries=5) as run:
        view.enqueue(Count(nowutc()))
        view.until(lambda: (view.root["count"] and task.getStatus() in ENDED) or not run.is_alive())
        assert run.error is None
        view.until(lambda: not view.client.getStatus()["running"])


NODES = {
    "the running list": lambda module: module.running,
    "a node of the running list": lambda module: module.running._claims,
    "the length of the running list": lambda module: module.running._length,
    "the queue": lambda module: module.getWaitingQueue(),
    "a node of the queue": lambda module: module.getWaitingQueue()._bins,
    "a bin of the queue": lambda module: next(iter(module.getWaitingQueue()._bins.values())),
    "the spool": lambda module: module.getSpool(),
    "the module": lambda module: module,
}


@pytest.mark.parametrize("name", NODES)
def test_a_scheduler_whose_own_data_is_damaged_names_the_object_and_the_remedy(uri, name):
    database = open_database(uri)
    with database.transaction() as connection:
        module = SchedulerModule.getDBInstance(connection)
        waiting, running_one = Noop(nowutc()), Noop(nowutc())
        connection.add(waiting)
        connection.add(running_one)
        module.wait(waiting, nowutc().timestamp())
        module.running.add(running_one, nowutc().timestamp())
        connection.root()["other"] = PersistentMapping()
    with database.transaction() as connection:
        oid = NODES[name](SchedulerModule.getDBInstance(connection))._p_oid
        other = connection.root()["other"]._p_oid
    damage(database, oid, other, "cut to a byte")
    database.close()
    database = open_database(uri)
    try:
        with pytest.raises(
            DatabaseDamaged, match=f"^object {u64(oid):#x} .*: restore the database"
        ):
            Scheduler(database=database).run()
    finally:
        database.close()
