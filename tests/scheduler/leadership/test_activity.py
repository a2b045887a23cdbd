"""What a scheduler knows of its own health."""

from __future__ import annotations

import time

import pytest

from scheduler import Client, nowutc
from scheduler.leadership import activity
from scheduler.leadership.activity import Activity
from tests.daemon.sample_tasks import Long
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop
from tests.waiting import wait_for


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(activity, "PATIENCE_SECONDS", 0.2)


def until_at_ease(run):
    """Wait until *run* does not complain, which it may of a moment of its own without a core."""
    wait_for(lambda: not run.scheduler.complaint())


def test_a_failed_write_is_complained_of_until_one_succeeds():
    own = Activity()
    own.failed("tick", "the database cannot write: no space")
    own.succeeded("staff", has_written=False)
    assert own.complaint() == "the database cannot write: no space"
    own.succeeded("tick", has_written=False)
    assert own.complaint() == ""


def test_any_write_shows_that_the_database_can_be_written():
    own = Activity()
    own.failed("tick", "the database is away")
    own.succeeded("staff", has_written=True)
    assert own.complaint() == ""


def test_tasks_that_no_worker_takes_are_complained_of(view, tmp_path, impatient):
    go = tmp_path / "go"
    view.enqueue(Long(nowutc(), str(go)), Noop(nowutc()), Noop(nowutc()))
    with running(view.database, workers=1) as run:
        complaint = wait_for(run.scheduler.complaint)
        assert "no worker has taken or ended any" in complaint
        go.touch()
        view.until_counts(finished=3)
        until_at_ease(run)


def test_a_long_task_alone_is_nothing_to_complain_of(view, tmp_path, impatient):
    go = tmp_path / "go"
    view.enqueue(Long(nowutc(), str(go)))
    with running(view.database, workers=1, sleep_interval=0.05) as run:
        view.until_counts(running=1)
        time.sleep(1)
        until_at_ease(run)
        go.touch()
        view.until_counts(finished=1)


def test_tasks_that_are_not_to_be_begun_are_nothing_to_complain_of(view, impatient):
    Client(view.connection).pause()
    view.enqueue(Noop(nowutc()))
    with running(view.database, sleep_interval=0.05) as run:
        view.until_counts(waiting=1)
        time.sleep(1)
        until_at_ease(run)
