"""Tasks that start processes: limits hold while these live, and nothing outlives its worker.

Covers `scheduler.worker.family`, `scheduler.worker.signals`.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_TERMINATED,
    nowutc,
)
from tests.faults.processes import Daemon
from tests.scheduler.harness import running
from tests.scheduler.sample_children import (
    ChangeSignals,
    EndChildren,
    ListDescriptors,
    WithChild,
    WithChildLimited,
)
from tests.scheduler.sample_tasks import Count, Noop
from tests.waiting import wait_for

# The children sleep for ten minutes: nothing here can have waited for them.
AT_ONCE = 60

WAYS = ["system", "forked", "joined", "inheriting"]
DETACHED = ["detached", "detached_without_environment", "deserted"]


@pytest.fixture
def file(tmp_path):
    """Where a task says which child it has."""
    return tmp_path / "child"


def child_in(file):
    wait_for(file.exists)
    return psutil.Process(int(Path(file).read_text()))


def is_gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("way", WAYS + DETACHED)
def test_a_run_over_its_hard_limit_ends_with_the_processes_that_it_has_started(
    view, database, file, way
):
    task = view.enqueue(WithChildLimited(nowutc(), str(file), way))
    with running(database, multitask_mode="processes", workers=1):
        child = child_in(file)
        view.until_counts(AT_ONCE, failed=1)
        wait_for(lambda: is_gone(child))
        view.enqueue(Count(nowutc()))
        view.until_counts(AT_ONCE, failed=1, finished=1)
    assert task.getStatus() == TASK_STATUS_TERMINATED


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_run_ends_with_its_processes_and_the_next_worker_takes_tasks(
    view, database, file, way
):
    task = view.enqueue(WithChild(nowutc(), str(file), way))
    with running(database, multitask_mode="processes", workers=1):
        child = child_in(file)
        view.client.cancelTask(task)
        view.enqueue(Count(nowutc()))
        view.until_counts(AT_ONCE, failed=1, finished=1)
        wait_for(lambda: is_gone(child))
    assert task.getStatus() == TASK_STATUS_ABORTED


@pytest.mark.parametrize("way", ["exiting", "deserting"])
def test_a_worker_that_ends_is_noticed_while_a_child_of_its_task_lives(view, database, file, way):
    task = view.enqueue(WithChild(nowutc(), str(file), way))
    with running(database, multitask_mode="processes", workers=1):
        child = child_in(file)
        view.until_counts(AT_ONCE, failed=1)
        wait_for(lambda: is_gone(child))
    assert task.getStatus() == TASK_STATUS_FAILED


def test_nothing_that_a_task_has_started_outlives_a_scheduler_that_is_killed(view, file, tmp_path):
    view.enqueue(WithChild(nowutc(), str(file), "deserted"))
    daemon = Daemon(tmp_path, view.database.uri, workers=1)
    try:
        child = child_in(file)
        daemon.kill()
        wait_for(lambda: is_gone(child))
    finally:
        daemon.close()


def test_a_shutdown_does_not_wait_for_what_a_task_has_left_behind(view, database, file):
    view.enqueue(WithChild(nowutc(), str(file), "finishing"))
    with running(database, multitask_mode="processes", workers=1, shutdown_timeout=600) as run:
        view.until_counts(finished=1)
        child = child_in(file)
        run.scheduler.shutdown()
        run.join(AT_ONCE)
    wait_for(lambda: is_gone(child))


def test_a_program_that_a_task_starts_inherits_nothing_of_its_worker(view, database):
    task = view.enqueue(ListDescriptors(nowutc()))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(finished=1)
    names = task.getResult()
    assert not [name for name in names if "socket" in name or "memfd" in name or ".fs" in name]


def test_the_processes_that_a_task_starts_can_be_ended_by_signals(view, database):
    task = view.enqueue(EndChildren(nowutc()))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(finished=1)
    assert task.getResult() == [-signal.SIGTERM, -signal.SIGTERM]


def test_the_signals_of_a_worker_are_restored_after_each_task(view, database):
    with running(database, multitask_mode="processes", workers=1):
        view.enqueue(ChangeSignals(nowutc()))
        view.until_counts(finished=1)
        worker = next(
            each
            for each in psutil.Process().children()
            if any("scheduler.worker.process" in word for word in each.cmdline())
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            worker.send_signal(number)
        # It is due when the timer that the first one has set would be over.
        view.enqueue(Noop(nowutc() + timedelta(seconds=0.7)))
        view.until_counts(finished=2)
        assert worker.is_running()
