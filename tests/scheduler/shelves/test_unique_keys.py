"""Tasks of which there is one at a time."""

from __future__ import annotations

from datetime import timedelta

from scheduler import (
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    SchedulerModule,
    nowutc,
)
from tests.scheduler.harness import running
from tests.scheduler.sample_unique import Debounced, HourlyKeyed, Keyed

HOUR = timedelta(hours=1)


def test_a_second_one_of_a_key_is_turned_away(view, database):
    first, second, other = (Keyed(nowutc() + HOUR, key) for key in ("a", "a", "b"))
    view.enqueue(first, second, other)
    with running(database):
        view.until_counts(waiting=2)
    assert first.getStatus() == other.getStatus() == TASK_STATUS_QUEUED
    assert second.getStatus() == TASK_STATUS_NONE


def test_when_the_first_has_ended_another_may_come(view, database):
    with running(database):
        view.enqueue(Keyed(nowutc(), "a"))
        view.until_counts(finished=1)
        view.enqueue(Keyed(nowutc(), "a"))
        view.until_counts(finished=2)
    assert view.root["a"] == 2


def test_when_the_first_was_taken_out_another_may_come(view, database):
    with running(database):
        first = view.enqueue(Keyed(nowutc() + HOUR, "a"))
        view.until_counts(waiting=1)
        view.client.dequeue(first)
        view.enqueue(Keyed(nowutc(), "a"))
        view.until_counts(finished=1)


def test_a_debounced_task_takes_the_place_of_the_waiting_one(view, database):
    early, late = Debounced(nowutc() + HOUR, "a"), Debounced(nowutc() + 2 * HOUR, "a")
    view.enqueue(early)
    with running(database):
        view.until_counts(waiting=1)
        view.enqueue(late)
        view.until(lambda: late.getStatus() == TASK_STATUS_QUEUED)
        assert view.counts() == {"waiting": 1}
    assert early.getStatus() == TASK_STATUS_NONE


def test_for_its_period_a_task_keeps_others_away_even_if_it_has_ended(view, database):
    with running(database):
        view.enqueue(HourlyKeyed(nowutc(), "a"))
        view.until_counts(finished=1)
        late = view.enqueue(HourlyKeyed(nowutc(), "a"), Keyed(nowutc(), "b"))
        view.until_counts(finished=2)
    assert late.getStatus() == TASK_STATUS_NONE
    assert view.root["a"] == 1


def test_keys_of_ended_tasks_are_not_kept(view, database):
    with running(database):
        view.enqueue(*(Keyed(nowutc(), f"key {number}") for number in range(20)))
        view.until_counts(finished=20)
        view.enqueue(HourlyKeyed(nowutc(), "hourly"))
        view.until_counts(finished=21)
    view.refresh()
    keys = SchedulerModule.getDBInstance(view.connection).unique
    assert len(keys) == 1

    keys.tend((nowutc() + 2 * HOUR).timestamp())
    assert len(keys) == 0
