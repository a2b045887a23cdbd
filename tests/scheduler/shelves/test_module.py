"""The module's shelves and the method that moves tasks between them (reference 3.5).

Covers `scheduler.shelves.ended_index`.
"""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
    SchedulerModule,
    nowutc,
    states,
)
from scheduler.errors import TaskInconsistentStatusException, TaskNotFoundException
from scheduler.shelves.ended_index import TaskIndex
from scheduler.tasks import TaskOccurrence
from tests.scheduler.sample_tasks import Noop


@pytest.fixture
def module(view):
    return SchedulerModule.getDBInstance()


@pytest.fixture
def task(view, module):
    """A task that waits in the queue."""
    task = view.enqueue(Noop(nowutc() + timedelta(hours=1)))
    module.getSpool().clear()
    module.moveTask(task, TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED)
    return task


def test_a_queued_task_waits_by_its_date(module, task):
    assert list(module.getWaitingQueue()) == [(int(task.getStartOn().timestamp()), task)]
    assert task.getStatus() == TASK_STATUS_QUEUED


def test_a_running_task_leaves_the_queue_for_the_running_list(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    assert len(module.getWaitingQueue()) == 0
    assert module.getRunningList() == [task]
    assert task.getStatus() == TASK_STATUS_RUNNING


@pytest.mark.parametrize("status", [TASK_STATUS_FINISHED, TASK_STATUS_FAILED])
def test_an_ended_task_stands_in_its_index(module, task, status):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    module.moveTask(task, TASK_STATUS_RUNNING, status)
    finished, failed = list(module.getFinishedIndex()), list(module.getFailedIndex())
    assert (finished, failed) == (([task], []) if status == TASK_STATUS_FINISHED else ([], [task]))
    assert task.getStatus() == status
    assert module.getRunningList() == []


def test_a_failed_task_can_be_queued_again(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    module.moveTask(task, TASK_STATUS_RUNNING, TASK_STATUS_FAILED)
    module.moveTask(task, TASK_STATUS_FAILED, TASK_STATUS_QUEUED)
    assert list(module.getFailedIndex()) == []
    assert len(module.getWaitingQueue()) == 1


def test_moving_to_none_takes_a_task_off_all_shelves(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_NONE)
    assert len(module.getWaitingQueue()) == 0
    assert module.getTaskIndex() == {}


def test_with_an_occurrence_that_is_what_arrives(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    task._ended = nowutc().timestamp()
    occurrence = TaskOccurrence(task)
    module.moveTask(task, TASK_STATUS_RUNNING, TASK_STATUS_FINISHED, occurrence=occurrence)
    assert list(module.getFinishedIndex()) == [occurrence]
    assert module.getRunningList() == []


@pytest.mark.parametrize(
    ("before", "after"),
    [pair for pair in itertools.product(range(8), repeat=2) if pair[0] != TASK_STATUS_QUEUED],
)
def test_a_task_is_not_moved_from_where_it_is_not(module, task, before, after):
    with pytest.raises(TaskInconsistentStatusException, match=states.status(before)):
        module.moveTask(task, before, after)
    assert task.getStatus() == TASK_STATUS_QUEUED


@pytest.mark.parametrize(
    "after", [n for n in range(8) if not states.is_legal(TASK_STATUS_QUEUED, n)]
)
def test_a_move_that_is_not_legal_is_refused(module, task, after):
    with pytest.raises(TaskInconsistentStatusException, match="cannot move"):
        module.moveTask(task, TASK_STATUS_QUEUED, after)
    assert len(module.getWaitingQueue()) == 1


def test_without_checks_a_task_may_be_moved_anywhere(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_FINISHED, nocheck=True)
    assert list(module.getFinishedIndex()) == [task]


def test_a_task_that_is_missing_on_its_shelf_is_reported(module, task):
    module.getWaitingQueue().pop()
    with pytest.raises(TaskNotFoundException, match="QD"):
        module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)


def test_removing_a_task_that_does_not_run_is_only_logged(module, task, caplog):
    module.removeRunningTask(task)
    assert "not on the running list" in caplog.text


def test_removing_a_running_task(module, task):
    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    module.removeRunningTask(task)
    assert module.getRunningList() == []


def test_the_task_index_holds_all_tasks_on_shelves_by_number(view, module, task):
    spooled = view.enqueue(Noop(nowutc()))
    assert module.getTaskIndex() == {task.getId(): task, spooled.getId(): spooled}


def test_an_index_gives_what_ended_in_a_span_of_time(view):
    index = TaskIndex()
    start = nowutc()
    tasks = [Noop(start) for _ in range(10)]
    view.enqueue(*tasks)
    for number, task in enumerate(tasks):
        index.add(start + timedelta(seconds=number), task)
    span = start + timedelta(seconds=3), start + timedelta(seconds=5)
    assert list(index.values(*span)) == tasks[3:6]
    assert len(index) == 10


def test_adding_to_an_index_twice_is_adding_once(task):
    index = TaskIndex()
    moment = nowutc()
    index.add(moment, task)
    index.add(moment, task)
    assert len(index) == 1
    index.remove(moment, task)
    assert list(index) == []
    with pytest.raises(KeyError):
        index.remove(moment, task)
