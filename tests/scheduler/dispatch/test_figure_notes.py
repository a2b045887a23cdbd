"""The notes for the figures are written seldom, and none of a committed tick is left out."""

from __future__ import annotations

import pytest

from scheduler import TASK_STATUS_FINISHED, SchedulerModule, nowutc
from scheduler.dispatch.figure_notes import FigureNotes
from scheduler.shelves.figures import HOUR, EndedAttempt, figures_of
from tests.scheduler.harness import running
from tests.scheduler.sample_long import Endless
from tests.scheduler.sample_tasks import Noop

ENDED = EndedAttempt(TASK_STATUS_FINISHED, 0.1, None)


@pytest.fixture
def module(view):
    module = SchedulerModule.getDBInstance(view.connection)
    figures_of(view.connection)
    view.commit()
    return module


def finished(view):
    view.refresh()
    series = figures_of(view.connection).series(HOUR, nowutc().timestamp())
    return sum(slot.finished for slot in series)


def tick(view, module, notes, *ended, is_committed=True):
    view.manager.begin()
    if ended:
        notes.take(ended, 0.0)
    notes.write(module, nowutc().timestamp())
    if is_committed:
        view.commit()
        notes.committed()
    else:
        view.manager.abort()


@pytest.fixture
def at_work(view, module):
    """Have a task with a worker."""
    task = Noop(nowutc())
    view.connection.add(task)
    module.running.add(task, nowutc().timestamp())
    view.commit()


def test_figures_are_written_by_the_tick_after_which_nothing_is_at_work(view, module):
    notes = FigureNotes()
    tick(view, module, notes, ENDED)
    tick(view, module, notes, ENDED, ENDED)
    assert finished(view) == 3
    assert not notes.are_open


def test_figures_of_ticks_while_tasks_are_at_work_are_written_together(view, module, at_work):
    notes = FigureNotes()
    tick(view, module, notes, ENDED)
    tick(view, module, notes, ENDED)
    tick(view, module, notes, ENDED)
    assert finished(view) == 1
    assert notes.are_open
    notes._written -= 1
    tick(view, module, notes)
    assert finished(view) == 3


def test_the_figures_of_a_tick_that_is_not_committed_are_taken_once(view, module, at_work):
    notes = FigureNotes()
    tick(view, module, notes, ENDED)
    tick(view, module, notes, ENDED, is_committed=False)
    tick(view, module, notes, ENDED)
    notes._written -= 1
    tick(view, module, notes, ENDED, is_committed=False)
    tick(view, module, notes, ENDED)
    assert finished(view) == 3


def test_figures_are_written_at_last_while_a_long_task_is_at_work(view, database, tmp_path):
    long = Endless(nowutc(), str(tmp_path / "said"))
    view.enqueue(long, *(Noop(nowutc()) for _ in range(20)))
    with running(database, multitask_mode="threads", workers=2):
        view.until(lambda: finished(view) == 20)
        assert view.status()["running"] == 1
        view.client.cancelTask(long)
        view.commit()
