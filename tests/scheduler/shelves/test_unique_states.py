"""Unique keys that are held in chosen states only, and replacements that cannot starve a task."""

from __future__ import annotations

from datetime import timedelta

import pytest
import transaction

from scheduler import TASK_STATUS_FINISHED, TASK_STATUS_NONE, TASK_STATUS_QUEUED, nowutc, task
from scheduler.dispatch.pruner import Pruner
from scheduler.settings import Settings
from scheduler.tasks import OneShotTask
from tests.scheduler.harness import running
from tests.scheduler.sample_declared import once, refresh_page, sync


def test_one_may_wait_while_another_runs_and_no_third(view, database, tmp_path):
    go = tmp_path / "go"
    first = sync.enqueue("a", str(go))
    view.commit()
    with running(database, workers=2):
        view.until_counts(running=1)
        second, third = sync.enqueueIn(3600, "a"), sync.enqueueIn(3600, "a")
        view.commit()
        view.until_counts(running=1, waiting=1)
        go.touch()
        view.until_counts(finished=1, waiting=1)
    states = {each.getStatus() for each in (second, third)}
    assert states == {TASK_STATUS_QUEUED, TASK_STATUS_NONE}
    assert first.getStatus() == TASK_STATUS_FINISHED


def test_a_finished_one_keeps_its_key_until_it_is_pruned(relay):
    first = once.enqueue("a")
    relay.run_due()
    again = once.enqueue("a")
    relay.run_due()
    assert again.getStatus() == TASK_STATUS_NONE
    pruner = Pruner(lease=None, settings=Settings(keep_finished_count=0))
    pruner._sweep(relay.connection)
    transaction.commit()
    assert first.getStatus() == TASK_STATUS_NONE
    assert len(relay.client._module.unique) == 0
    once.enqueue("a")
    relay.run_due()
    assert relay.connection.root()["once"] == ("a", "a")


def test_a_stream_of_replacements_delays_a_call_by_the_longest_wait_at_most(relay):
    began = relay.clock.now
    for version in range(30):
        refresh_page.enqueueIn(5, "home", version)
        relay.run_due()
        relay.clock.advance(4)
    assert relay.connection.root()["refreshed"] == (15,)
    relay.clock.advance(10)
    relay.run_due()
    assert relay.connection.root()["refreshed"] == (15, 29)
    assert relay.clock.now - began > timedelta(seconds=60)


class Patient(OneShotTask):
    """Is put off by its likes for ten seconds at most."""

    uniqueReplaces = True
    longestWait = 10

    def uniqueKey(self):
        return "patient"

    def run(self):
        return nowutc()


def test_a_class_may_have_a_longest_wait_too(relay):
    for _ in range(4):
        task = Patient(relay.clock.now + timedelta(seconds=6))
        relay.enqueue(task)
        relay.run_due()
        relay.clock.advance(3)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED


@pytest.mark.parametrize("states", [7, (99,), "QD"])
def test_states_that_are_none_are_refused(states):
    with pytest.raises((TypeError, ValueError), match="some of the states"):

        @task(uniqueStates=states)
        def declared_here():
            pass
