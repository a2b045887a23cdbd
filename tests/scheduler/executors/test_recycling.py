"""Recycling: a worker process is replaced after a number of attempts, and no task is lost."""

from __future__ import annotations

from scheduler import nowutc
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop


def test_a_worker_is_replaced_after_its_attempts_and_nothing_is_lost(view, database):
    tasks = [Noop(nowutc()) for _ in range(60)]
    view.enqueue(*tasks)
    with running(database, multitask_mode="processes", workers=1, worker_attempts=10):
        view.until_counts(finished=60)
        view.enqueue(*(more := [Noop(nowutc()) for _ in range(40)]))
        view.until_counts(finished=100)
    done = [task.getAttempts() for task in (*tasks, *more)]
    assert all(len(attempts) == 1 for attempts in done)
    assert len({attempts[0].worker for attempts in done}) >= 2
