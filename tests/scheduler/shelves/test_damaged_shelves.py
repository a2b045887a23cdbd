"""Entries of the running list that are damaged."""

from __future__ import annotations

import math

import pytest

from scheduler import SchedulerModule, nowutc
from scheduler.states import ENDED, TASK_STATUS_QUEUED
from tests.scheduler.harness import running
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
