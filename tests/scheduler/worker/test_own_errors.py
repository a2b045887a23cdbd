"""Errors of the kinds that a database has, raised by tasks for ever, while the database works."""

from __future__ import annotations

import pytest

from scheduler import nowutc
from scheduler.dispatch import dispatcher
from scheduler.tasks.retry import Retry
from scheduler.worker import recorder, runner
from tests.scheduler.harness import running
from tests.scheduler.sample_misbehaving import ConflictWithItself, RaiseAlways, SomeError
from tests.scheduler.sample_tasks import Count, Noop


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(recorder, "AFTER_CONFLICTS", Retry(first=0.02, longest=0.05))
    monkeypatch.setattr(recorder, "CONFLICTS_ALLOWED", 4)
    monkeypatch.setattr(runner, "backoff", lambda attempt: 0.001)
    monkeypatch.setattr(dispatcher, "pause", lambda attempt: 0.01)


@pytest.fixture(autouse=True)
def counted(view):
    view.root["count"] = view.root["runs"] = 0


@pytest.mark.parametrize("where", ["run", "commit"])
@pytest.mark.parametrize("kind", SomeError.kinds)
def test_a_task_that_raises_them_itself_is_put_off_and_fails_in_the_end(
    view, database, kind, where
):
    task = view.enqueue(RaiseAlways(nowutc(), kind, where), *(Count(nowutc()) for _ in range(5)))
    with running(database):
        view.until_counts(failed=1, finished=5)
    states = [attempt.number for attempt in task.getAttempts()]
    assert states == sorted(states)
    assert states[-1] == task.maxTries
    assert view.root["count"] == 5


def test_a_task_that_conflicts_with_itself_for_ever_fails_in_the_end(view, database):
    task = view.enqueue(ConflictWithItself(nowutc()))
    with running(database):
        view.until_counts(failed=1)
    attempts = task.getAttempts()
    assert len(attempts) == recorder.CONFLICTS_ALLOWED + 1
    assert "conflict" in attempts[-1].message.lower()


@pytest.mark.parametrize("kind", SomeError.kinds)
def test_a_task_whose_key_raises_them_is_a_dead_letter_and_others_are_run(view, database, kind):
    task = RaiseAlways(nowutc(), kind, "run")
    view.client.enqueue(task)
    task.where = "key"
    view.commit()
    for _ in range(2):  # a start tries it again, too
        with running(database) as run:
            view.enqueue(Noop(nowutc()))
            view.until(lambda: view.counts() == {"failed": 1, "finished": 1} or not run.is_alive())
            view.until(lambda: not view.counts().get("spooled") or not run.is_alive())
            assert run.error is None
        view.client.dequeue(next(iter(view.client._module.getFinishedIndex())))
        view.commit()
