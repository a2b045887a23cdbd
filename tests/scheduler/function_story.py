"""A story of functions as tasks, for any storage: declared schedule, limits, keys, bulk orders."""

from __future__ import annotations

from datetime import timedelta

from scheduler import TASK_STATUS_ABORTED, TaskFilter, nowutc
from scheduler.store import using
from tests.scheduler import sample_attempts, sample_declared
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop


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
            waiting = [Noop(nowutc() + timedelta(days=1)) for _ in range(30)]
        view.enqueue(*waiting)
        view.until(lambda: all(call.getResult() or call.getAttempts() for call in ordered))
        view.until(told.getResult)
        view.until(lambda: view.root.get("ticks", 0) >= 2)
        (entry,) = view.client.getSchedules().values()
        assert entry.is_declared
        view.client.cancelAll(TaskFilter(name="Noop", state="waiting"))
        view.commit()
        view.until(lambda: {each.getStatus() for each in waiting} == {TASK_STATUS_ABORTED})
    assert told.getResult()["id"] == told.getId()
    assert view.root["in order"] == tuple(range(4))
    with running(view.database, **settings):
        seen = view.root["ticks"]
        view.until(lambda: view.root["ticks"] > seen)
        assert [each.task for each in view.client.getSchedules().values()] == [entry.task]
        view.client.dequeue(entry.task)
        view.client.deleteAll(TaskFilter(state="aborted"))
        view.commit()
        view.until(lambda: not view.client.getSchedules() and not view.counts().get("failed"))
