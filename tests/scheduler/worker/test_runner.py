"""Whatever a task does to its transaction: its changes and its mark are in, or neither is.

Covers `scheduler.worker.claim_queue`, `scheduler.worker.recorder`.
"""

from __future__ import annotations

import pytest
import transaction
from dateutil import rrule
from persistent.mapping import PersistentMapping

from scheduler import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, nowutc
from scheduler.insight.dry_run import try_out
from scheduler.tasks import PeriodicTask
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.retry import Retry
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Count, Raise, count
from tests.scheduler.sample_transactions import (
    AbortAfterConflict,
    AbortWhenDue,
    Appointment,
    Do,
    DoAlone,
    DoWhenAsked,
    MakeSavepoint,
    RollBackItsRun,
)
from tests.scheduler.transaction_acts import FAILING, HONOURED, REFUSED, kept

WRONG = [
    pytest.param(what.__name__, text, id=what.__name__)
    for text, whats in (REFUSED | FAILING).items()
    for what in whats
]
WRONG_NAMES = [case.values[0] for case in WRONG]
RIGHT_NAMES = [what.__name__ for what in HONOURED]
# A connection that cannot be aborted, or was joined by a database that stays open, is not closed.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def view(view):
    view.root["other"] = PersistentMapping()
    view.commit()
    return view


def changes_of(view, name):
    return [view.root.get(f"{name} {when}", 0) for when in ("began", "ended")]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_forbidden_act_fails_its_task_and_harms_no_neighbour(
    view, database, one_commit, name, text
):
    moment = nowutc()
    task = Do(moment, name)
    view.enqueue(Count(moment), MakeSavepoint(moment), task, Count(moment), Count(moment))
    with running(database, workers=1):
        view.until_counts(failed=1, finished=4)
        view.enqueue(Count(nowutc()))
        view.until_counts(failed=1, finished=5)
    assert text in task.getAttempts()[0].message
    assert changes_of(view, name) == [0, 0]
    assert view.root["count"] == 5
    assert "hook of what failed" not in view.root


def test_a_task_that_passes_over_a_refusal_fails_all_the_same(view, database, one_commit):
    moment = nowutc()
    names = [what.__name__ for whats in REFUSED.values() for what in whats]
    tasks = [Do(moment, name, "run", passes_over=True) for name in names]
    view.enqueue(Count(moment), *tasks, Count(moment))
    with running(database, workers=1):
        view.until_counts(failed=len(tasks), finished=2)
    assert {name for name in names if changes_of(view, name) != [0, 0]} == set()
    assert view.root["count"] == 2


@pytest.mark.parametrize("name", RIGHT_NAMES)
def test_an_allowed_act_of_a_task_is_kept_with_its_changes(view, database, one_commit, name):
    moment = nowutc()
    task = Do(moment, name)
    view.enqueue(Count(moment), task, Count(moment), Raise(moment, ValueError()), Count(moment))
    with running(database, workers=1):
        view.until_counts(failed=1, finished=4)
        view.enqueue(Count(nowutc()))
        view.until_counts(failed=1, finished=5)
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert len(view.root["other"]) == (name in ("commit_elsewhere", "commit_in_a_thread"))
    assert changes_of(view, name) == [1, 1]
    assert view.root["count"] == 4
    assert "rolled back" not in view.root


@pytest.mark.parametrize("mode", ["threads", "processes"])
@pytest.mark.parametrize("kind", [Do, DoAlone])
def test_tasks_run_one_after_the_other_are_told_apart(view, database, mode, kind):
    moment = nowutc()
    wrong = [kind(moment, name) for name in WRONG_NAMES]
    right = [kind(moment, name) for name in RIGHT_NAMES]
    counts = [Count(moment) for _ in wrong]
    view.enqueue(*(task for pair in zip(wrong, counts, strict=True) for task in pair), *right)
    with running(database, multitask_mode=mode, workers=1):
        view.until_counts(failed=len(wrong), finished=len(right) + len(counts))
    assert {task.what for task in wrong if task.getStatus() != TASK_STATUS_FAILED} == set()
    assert {task.what for task in right if task.getStatus() != TASK_STATUS_FINISHED} == set()
    assert {name for name in WRONG_NAMES if changes_of(view, name) != [0, 0]} == set()
    assert {name for name in RIGHT_NAMES if changes_of(view, name) != [1, 1]} == set()
    assert view.root["count"] == len(counts)


def test_a_task_that_prepares_by_an_abort_fails(view, database):
    task = view.enqueue(Do(nowutc(), "abort", "prepare"))
    with running(database):
        view.until_counts(failed=1)
    assert "must not abort" in task.getAttempts()[0].message
    assert changes_of(view, "abort") == [0, 0]


@pytest.mark.parametrize("name", ["abort", "commit", "doom", "begin"])
def test_an_abort_or_commit_in_tear_down_undoes_the_tearing_down_alone(view, database, name):
    task = view.enqueue(Do(nowutc(), name, "tearDown", passes_over=True))
    with running(database):
        view.until_counts(finished=1)
    assert changes_of(view, name) == [0, 0]
    assert len(task.getAttempts()) == 1


def test_a_task_that_takes_its_run_back_while_it_is_torn_down_fails(view, database, one_commit):
    moment = nowutc()
    task = RollBackItsRun(moment)
    view.enqueue(Count(moment), task, Count(moment))
    with running(database):
        view.until_counts(failed=1, finished=2)
    assert "savepoint" in task.getAttempts()[0].message
    assert "of the run" not in view.root
    assert view.root["count"] == 2


def test_a_bound_task_that_aborts_fails(view, database):
    task = AbortWhenDue(Appointment(nowutc()))
    view.root["appointment"] = task.subject
    view.enqueue(task)
    with running(database):
        view.until_counts(failed=1)
    assert "must not abort" in task.getAttempts()[0].message
    assert "bound" not in view.root


@pytest.mark.parametrize("what", ["abort", "commit", "close_connection"])
def test_a_bound_task_that_misbehaves_when_it_is_asked_for_its_date_leaves_nothing(
    view, database, what
):
    task = DoWhenAsked(Appointment(nowutc()), what)
    view.root["appointment"] = task.subject
    view.enqueue(task, Count(nowutc()))
    with running(database):
        view.until_counts(failed=1, finished=1)
    assert "asked" not in view.root
    assert view.root["count"] == 1


def test_changes_of_a_task_in_another_database_are_committed_with_it(view, database):
    view.enqueue(Do(nowutc(), "change_another_database"))
    with running(database):
        view.until_counts(finished=1)
    connection = kept[-1].open(transaction_manager=transaction.TransactionManager())
    assert connection.root()["changed"]
    connection.close()


def test_the_rest_of_a_chain_is_not_run_after_a_step_that_aborts(view, database):
    view.client.enqueueChain(Count(nowutc()), Do(nowutc(), "abort"), Count(nowutc()))
    view.commit()
    with running(database):
        view.until_counts(finished=1, failed=1)
    assert view.root["count"] == 1


def test_a_group_of_which_one_aborts_has_the_others_done(view, database):
    tasks = [Count(nowutc()), Do(nowutc(), "abort"), Count(nowutc())]
    view.client.enqueueChain(TaskGroup(tasks), Count(nowutc()))
    view.commit()
    with running(database):
        view.until_counts(finished=2, failed=1)
    assert view.root["count"] == 2


class AbortingTick(PeriodicTask):
    """Aborts at its first run, and counts at the others."""

    def run(self):
        count("count")
        if not self.getOccurrences():
            transaction.abort()


def test_a_recurring_task_that_aborts_once_goes_on_with_its_next_date(view, database):
    view.enqueue(AbortingTick(rrule.SECONDLY))
    with running(database):
        view.until(lambda: view.root.get("count"))
    assert view.counts()["failed"] == 1
    assert view.counts()["finished"] == view.root["count"]


def test_a_dry_run_is_refused_what_a_run_is(view, database):
    task = view.enqueue(Do(nowutc(), "abort"))
    found = try_out(database, task.getId())
    assert "must not abort" in str(found.error)
    assert found.changes == []


@pytest.mark.parametrize("name", ["abort", "fail_to_vote", "roll_back_the_neighbours"])
def test_a_failing_task_is_tried_as_often_as_its_class_says(view, database, monkeypatch, name):
    monkeypatch.setattr(Do, "retries", {Exception: Retry(first=0.01)})
    task = view.enqueue(Do(nowutc(), name))
    with running(database, task_max_tries=3):
        view.until_counts(failed=1)
    assert [attempt.number for attempt in task.getAttempts()] == [1, 2, 3]


def test_a_run_that_is_repeated_after_a_conflict_may_not_abort_either(view, database):
    task = view.enqueue(AbortAfterConflict(nowutc()))
    with running(database):
        view.until_counts(failed=1)
    assert "must not abort" in task.getAttempts()[0].message
    assert view.root["count"] == 1
