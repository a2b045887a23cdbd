"""Tasks that attack what they run in: they harm themselves, the others are run."""

from __future__ import annotations

import os
import sys

import pytest

from scheduler import nowutc
from scheduler.store import current
from scheduler.tasks import OneShotTask
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Count, count

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


class Fork(OneShotTask):
    """Forks, and lets the child go on as if it were the worker."""

    def __init__(self, start, how):
        super().__init__(start)
        self.how = how

    def run(self):
        count("forked")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        elif self.how == "exits":
            sys.exit(3)
        elif self.how == "raises":
            raise ValueError("in the child")


class CloseConnection(OneShotTask):
    def __init__(self, start, is_dirty):
        super().__init__(start)
        self.is_dirty = is_dirty

    def run(self):
        if self.is_dirty:
            count("closed")
        current().close()


class CloseDatabase(OneShotTask):
    def run(self):
        current().db().close()


@both_modes
@pytest.mark.parametrize("how", ["returns", "exits", "raises"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_task_that_forks_is_one_task_all_the_same(view, database, mode, how):
    task = view.enqueue(Fork(nowutc(), how))
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
        view.enqueue(*(Count(nowutc()) for _ in range(20)))
        view.until_counts(finished=21)
    assert view.root["forked"] == 1
    assert view.root["count"] == 20
    assert len(task.getAttempts()) == 1


@both_modes
@pytest.mark.parametrize("is_dirty", [False, True])
def test_a_task_that_closes_its_connection_fails_and_the_others_are_run(
    view, database, mode, is_dirty
):
    task = view.enqueue(CloseConnection(nowutc(), is_dirty))
    with running(database, multitask_mode=mode, workers=1):
        view.until_counts(failed=1)
        view.enqueue(*(Count(nowutc()) for _ in range(20)))
        view.until_counts(failed=1, finished=20)
    assert "close" in task.getAttempts()[0].message
    assert view.root.get("closed") is None
    assert view.root["count"] == 20


@both_modes
def test_a_task_that_closes_the_database_of_its_process_fails_and_the_others_are_run(
    view, database, mode
):
    task = view.enqueue(CloseDatabase(nowutc()))
    with running(database, multitask_mode=mode, workers=1):
        view.until_counts(failed=1)
        view.enqueue(*(Count(nowutc()) for _ in range(20)))
        view.until_counts(failed=1, finished=20)
    assert "must not close the database" in task.getAttempts()[0].message
