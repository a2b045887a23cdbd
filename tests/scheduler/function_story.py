"""A story of functions as tasks, for any storage: schedules, limits, keys, bulk orders, flows."""

from __future__ import annotations

from datetime import timedelta

from scheduler import TASK_STATUS_ABORTED, TaskFilter, nowutc
from scheduler.store import using
from scheduler.tasks import TaskChain, TaskGroup
from tests.scheduler import sample_attempts, sample_declared
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop


def plant_flow(client):
    """Enqueue a flow; return its last step."""
    a, b, c, d, last = (sample_declared.named(name) for name in ("a", "b", "c", "d", "last"))
    client.enqueue(a)
    group = TaskGroup([b, TaskChain(d, c)])
    client.enqueue(group, after=[a])
    client.enqueue(last, after=group)
    return last


def tell_the_story(view, mode):
    """Run the story on the database of *view*, which may hold other tasks."""
    settings = {
        "multitask_mode": mode,
        "standby": True,
        "imports": ["tests.scheduler.sample_schedule"],
    }
    with running(view.database, **settings), running(view.database, **settings):
        with using(view.connection):
            told = sample_attempts.tell.enqueue()
            ordered = [sample_declared.in_order.enqueue(1, number) for number in range(4)]
            last = plant_flow(view.client)
            waiting = [Noop(nowutc() + timedelta(days=1)) for _ in range(30)]
        view.enqueue(*waiting)
        view.until(lambda: all(call.getResult() or call.getAttempts() for call in ordered))
        view.until(told.getResult)
        view.until(last.getResult)
        view.until(lambda: view.root.get("ticks", 0) >= 2)
        (entry,) = view.client.getSchedules().values()
        assert entry.is_declared
        view.client.cancelAll(TaskFilter(name="Noop", state="waiting"))
        view.commit()
        view.until(lambda: {each.getStatus() for each in waiting} == {TASK_STATUS_ABORTED})
    assert told.getResult()["id"] == told.getId()
    assert last.getResult() == "last: b: a:, c: d: a:"
    assert view.root["in order"] == tuple(range(4))
    with running(view.database, **settings):
        seen = view.root["ticks"]
        view.until(lambda: view.root["ticks"] > seen)
        assert [each.task for each in view.client.getSchedules().values()] == [entry.task]
        view.client.dequeue(entry.task)
        view.client.deleteAll(TaskFilter(state="aborted"))
        view.commit()
        view.until(lambda: not view.client.getSchedules() and not view.counts().get("failed"))
