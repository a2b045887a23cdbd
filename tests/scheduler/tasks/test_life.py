"""The life of a task: each transition from each state, and random histories against a model.

Covers `scheduler.tasks.handle`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import scheduler
from scheduler import nowutc, states
from scheduler.errors import TaskInconsistentStatusException
from scheduler.tasks.attempt import Attempt
from tests.scheduler.sample_tasks import Noop

NN, SP, QD, RN, FA, AB, FI, TD = range(8)
ENDED = {FA, AB, FI, TD}
FIELDS = {"_status", "_settled", "_tries", "_retry_on", "_queued_for"}
ROOT = Path(scheduler.__file__).parents[1]
WRITER = ROOT / "scheduler/tasks/life.py"


def attempt(state, number=1):
    return Attempt(number, nowutc(), nowutc(), state)


# By name: the transition, the states that it is legal from, and the state that it leads to. A
# task in the hands of a worker bears the state before its run, SPOOLED or QUEUED.
TRANSITIONS = {
    "spool": (lambda task: task._spool(), {NN} | ENDED, SP),
    "spool again": (lambda task: task._spool_again(), {NN, SP, QD}, SP),
    "queue": (lambda task: task._queue(5.0), {NN, SP, QD} | ENDED, QD),
    "forget": (lambda task: task._forget(), {NN, SP, QD} | ENDED, NN),
    "finish": (lambda task: task._finish(attempt(FI)), {SP, QD}, FI),
    "fail": (lambda task: task._end(attempt(FA)), {SP, QD}, FA),
    "terminate": (lambda task: task._end(attempt(TD)), {SP, QD}, TD),
    "retry": (lambda task: task._retry(attempt(FA), 7.0), {SP, QD}, QD),
    "delay": (lambda task: task._delay(attempt(QD), 7.0), {SP, QD}, QD),
    "expire": (lambda task: task._expire(nowutc(), "too late"), {SP, QD}, TD),
    "abort": (lambda task: task._abort(attempt(AB)), {SP, QD}, AB),
    "fire apart": (lambda task: task._fire_apart(), {SP, QD}, FI),
}
STORED = (NN, SP, QD, FA, AB, FI, TD)
ODD = (-1, 8, None, "QD", [], 10**400)


def task_in(status):
    task = Noop(nowutc())
    task._status = status
    return task


def state_of(task):
    return {name: getattr(task, name) for name in (*FIELDS, "_attempts")}


@pytest.mark.parametrize("before", STORED)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_moves_the_task_or_raises_and_changes_nothing(name, before):
    move, legal, after = TRANSITIONS[name]
    task = task_in(before)
    known = state_of(task)
    if before in legal:
        move(task)
        assert task._status == after
    else:
        with pytest.raises(TaskInconsistentStatusException, match=states.status(after)):
            move(task)
        assert state_of(task) == known


@pytest.mark.parametrize("before", ODD)
@pytest.mark.parametrize("name", sorted(TRANSITIONS.keys() - {"forget", "spool again"}))
def test_a_task_whose_stored_status_is_no_state_makes_no_transition(name, before):
    with pytest.raises(TaskInconsistentStatusException):
        TRANSITIONS[name][0](task_in(before))


@pytest.mark.parametrize("before", ODD)
@pytest.mark.parametrize(("name", "after"), [("forget", NN), ("spool again", SP)])
def test_a_task_whose_stored_status_is_no_state_is_forgotten_or_spooled_again(name, after, before):
    task = task_in(before)
    TRANSITIONS[name][0](task)
    assert task._status == after


@pytest.mark.parametrize("state", [NN, SP, RN])
def test_a_run_does_not_end_in_a_state_that_is_no_end(state):
    with pytest.raises(TaskInconsistentStatusException):
        task_in(QD)._end(attempt(state))


def test_the_fields_of_a_life_have_one_writer():
    packages = ("scheduler", "livesync", "export", "daemon")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert [found for path in files if path != WRITER for found in written(path)] == []


def written(path):
    """Return where the file at *path* assigns a field of a task's life."""
    if "livesync" in path.parts:
        return []  # whose batches have a field of the same name
    return [
        f"{path}:{node.lineno}: {node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in FIELDS
        and isinstance(node.ctx, ast.Store | ast.Del)
    ]


class Histories(RuleBasedStateMachine):
    """Random histories of one task, compared with a model of five plain fields."""

    def __init__(self):
        super().__init__()
        self.task = Noop(nowutc())
        self.status, self.tries, self.retry_on, self.queued_for, self.runs = NN, 0, None, -1, 0

    @rule(name=st.sampled_from(sorted(TRANSITIONS)))
    def make(self, name):
        move, legal, after = TRANSITIONS[name]
        if self.status not in legal:
            with pytest.raises(TaskInconsistentStatusException):
                move(self.task)
            return
        move(self.task)
        self.status = after
        if name == "queue":
            self.queued_for = 5.0
        elif name in ("retry", "delay"):
            self.queued_for = self.retry_on = 7.0
            self.tries = 1 if name == "retry" else self.tries
        elif name == "finish":
            self.tries, self.retry_on = 0, None
        elif name in ("fail", "terminate", "expire", "abort"):
            self.retry_on = None
        if name not in ("spool", "spool again", "queue", "forget", "fire apart"):
            self.runs = min(20, self.runs + 1)

    @rule()
    def reset(self):
        self.task.reset()
        self.tries, self.retry_on = 0, None

    @invariant()
    def the_task_is_as_the_model_says(self):
        task = self.task
        found = (task._status, task._tries, task._retry_on, task._queued_for, len(task._attempts))
        assert found == (self.status, self.tries, self.retry_on, self.queued_for, self.runs)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
