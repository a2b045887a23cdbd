"""A claim that is to be stopped before its attempt has begun is stopped as soon as it has.

The attempt may begin in a transaction that does not see yet that its task was cancelled.
Covers `scheduler.executors.base`, `scheduler.executors.coroutine_watch`.
"""

from __future__ import annotations

import pytest

from scheduler import TASK_STATUS_ABORTED, TASK_STATUS_FINISHED, nowutc
from scheduler.executors import coroutine_watch
from scheduler.executors.base import WorkerLoad
from scheduler.executors.coroutine_watch import CoroutineWatch
from scheduler.executors.processes import ProcessExecutor
from scheduler.executors.threads import ThreadExecutor
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import Begun
from tests.scheduler.harness import running
from tests.scheduler.sample_coroutines import block_without_limit, wait_for_file
from tests.scheduler.sample_long import Wait
from tests.waiting import wait_for

EXECUTORS = {"threads": ThreadExecutor, "processes": ProcessExecutor}


@pytest.fixture(params=EXECUTORS)
def mode(request):
    return request.param


@pytest.fixture
def submitted(mode, monkeypatch):
    """Return the executor, and the claims that it was given, of workers that take many at once."""
    executor_class = EXECUTORS[mode]
    found, submit = [], executor_class.submit

    def note(executor, claims):
        found.extend((executor, claim) for claim in claims)
        submit(executor, claims)

    monkeypatch.setattr(WorkerLoad, "share", 20)
    monkeypatch.setattr(executor_class, "submit", note)
    monkeypatch.setattr(coroutine_watch, "GRACE_SECONDS", 0.2)
    return found


@pytest.mark.parametrize("kind", ["task", "coroutine", "coroutine that blocks"])
def test_the_attempt_is_stopped_when_it_begins(
    view, database, tmp_path, mode, submitted, kind, caplog
):
    go, never = tmp_path / "go", tmp_path / "never"
    first = Wait(nowutc(), str(go))
    view.enqueue(first)
    kinds = {
        "task": lambda: view.enqueue(Wait(nowutc(), str(never))),
        "coroutine": lambda: wait_for_file.enqueue(str(never)),
        "coroutine that blocks": lambda: block_without_limit.enqueue(str(never)),
    }
    with running(database, workers=1, multitask_mode=mode):
        wait_for(lambda: (tmp_path / "go.begun").exists())
        stopped = kinds[kind]()
        view.commit()
        wait_for(lambda: [claim for _, claim in submitted if claim.tid == stopped.getId()])
        executor, claim = submitted[-1]
        executor.stop(claim)
        go.touch()
        view.until(lambda: stopped.getAttempts())
        view.until(lambda: first.getStatus() == TASK_STATUS_FINISHED)
        never.touch()
    attempt = stopped.getAttempts()[-1]
    assert attempt.state == TASK_STATUS_ABORTED or "TaskCancelled" in attempt.message


def test_a_coroutine_whose_beginning_is_known_after_its_cancellation_has_its_grace_only():
    watch, claim = CoroutineWatch(), Claim(1, 7, 0.0)
    watch.cancel(claim)
    watch.begin(Begun(claim, 3600.0))
    assert watch.rest() <= coroutine_watch.GRACE_SECONDS
