"""Clocks that are set, back by an hour or forward by a day, while a scheduler runs.

Covers `scheduler.clock`.
"""

from __future__ import annotations

import time
from datetime import timedelta

import psutil
import pytest

from scheduler import nowutc
from scheduler.clock import TimeSource, timed_by
from scheduler.storage.process_identity import ProcessIdentity
from tests.scheduler.harness import Running, running
from tests.scheduler.sample_recurring import EverySecond
from tests.scheduler.sample_tasks import Count

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Shifted(TimeSource):
    """The real clock, by *shift* wrong."""

    shift = timedelta(0)

    def getCurrentTime(self):
        return super().getCurrentTime() + self.shift


@pytest.fixture
def clock():
    with timed_by(Shifted()) as shifted:
        yield shifted


def test_after_a_step_back_what_is_enqueued_is_run_at_once(view, clock):
    with running(view.database):
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=1)
        clock.shift = -HOUR
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=2)


def test_after_a_step_back_what_waits_keeps_its_date(view, clock):
    due = nowutc() + timedelta(seconds=2)
    task = view.enqueue(Count(due))
    with running(view.database):
        view.until_counts(waiting=1)
        clock.shift = -HOUR
        view.enqueue(Count(nowutc()))
        view.until_counts(waiting=1, finished=1)
        clock.shift = timedelta(0)
        view.until_counts(finished=2)
    assert task.getStartedOn() >= due


def test_after_a_step_forward_what_was_due_meanwhile_is_run_and_a_rule_goes_on(view, clock):
    view.enqueue(Count(nowutc() + HOUR), Count(nowutc() + DAY + HOUR))
    periodic = view.enqueue(EverySecond())
    with running(view.database):
        view.until(lambda: len(periodic.getOccurrences()) >= 1)
        clock.shift = DAY
        view.until(lambda: periodic.getOccurrences()[-1].getStartedOn() > nowutc() - HOUR)
        first = view.until(lambda: len(periodic.getOccurrences()))
        view.until(lambda: len(periodic.getOccurrences()) > first + 1)
        view.until(lambda: view.counts()["waiting"] <= 2)
    view.refresh()
    assert view.root["count"] == len(periodic.getOccurrences()) + 1  # not 86400 more


def test_a_shutdown_is_obeyed_though_the_clock_was_set_back_meanwhile(view, monkeypatch):
    run = Running(view.database)
    view.until(lambda: view.client.getStatus()["state"])
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    view.client.shutdown("though it seems an hour old")
    view.commit()
    assert run.join() == 0


def test_a_process_is_not_taken_for_gone_because_the_clock_was_set(monkeypatch):
    owner = ProcessIdentity.this_process()
    started = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: started(self) + 3600)
    assert not owner.is_gone()
