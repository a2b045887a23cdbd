"""Backfill: a schedule is run for dates that have passed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import transaction

from daemon.cli.main import main
from scheduler import nowutc
from scheduler.tasks import IntervalTask
from tests.scheduler.harness import running
from tests.scheduler.sample_attempts import Dated, Wavering
from tests.scheduler.sample_tasks import Noop

DAY = timedelta(days=1)


@pytest.fixture
def dated(relay):
    """A daily task that has been run once, today."""
    task = Dated(86400)
    relay.enqueue(task)
    relay.run_due()
    relay.connection.root()["dates"] = ()
    transaction.commit()
    return task


def test_all_dates_of_a_time_are_run_in_order_and_recorded(relay, dated):
    relay.clock.advance(20 * 86400)
    relay.run_due()
    start, before = dated.getSchedule().start, len(dated.getOccurrences())
    relay.connection.root()["dates"] = ()
    number = relay.client.backfill(dated, start + 3 * DAY, start + 9 * DAY)
    due = dated.getDueOn()
    relay.run_due()
    assert number == 7
    expected = tuple(start + each * DAY for each in range(3, 10))
    assert relay.connection.root()["dates"] == expected
    occurrences = dated.getOccurrences()[before:]
    assert [run.getAttempts()[-1].message for run in occurrences] == [""] * 7
    assert dated.getDueOn() == due


def test_many_dates_are_enqueued_in_steps(relay, monkeypatch):
    monkeypatch.setattr("scheduler.dispatch.instructions.BACKFILL_STEP", 10)
    task = Dated(60, relay.clock.now)
    relay.enqueue(task)
    relay.run_due()
    relay.clock.advance(3599)
    relay.connection.root()["dates"] = ()
    start = task.getSchedule().start
    assert relay.client.backfill(task, start, relay.clock.now) == 60
    relay.run_due()
    dates = relay.connection.root()["dates"]
    # The schedule itself makes up for the last date that was missed, once.
    assert sorted(set(dates)) == [start + timedelta(minutes=each) for each in range(60)]
    assert len(dates) == 61


def test_a_date_that_is_tried_again_keeps_the_next_ones_waiting(relay):
    task = Wavering(86400, relay.clock.now)
    relay.enqueue(task)
    relay.run_due()
    relay.clock.advance(10 * 86400)
    relay.run_due()
    start = task.getSchedule().start
    relay.connection.root()["tried"] = ()
    relay.client.backfill(task, start + DAY, start + 3 * DAY)
    for _ in range(6):
        relay.run_due()
        relay.clock.advance(10)
    assert relay.connection.root()["tried"] == tuple(
        start + each * DAY for each in (1, 1, 2, 2, 3, 3)
    )


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        (timedelta(), DAY, "which is to come"),
        (-20_000 * DAY, timedelta(), "more than 10000 dates"),
    ],
)
def test_a_task_that_cannot_be_backfilled_is_refused(relay, dated, since, until, message):
    task = IntervalTask(3600, relay.clock.now - 30_000 * DAY)
    with pytest.raises(ValueError, match=message):
        relay.client.backfill(task, relay.clock.now + since, relay.clock.now + until)
    with pytest.raises(TypeError, match="has no schedule"):
        relay.client.backfill(Noop(nowutc()), nowutc(), nowutc())


def test_a_backfill_is_ordered_on_the_command_line(view, database, uri, capsys):
    start = nowutc() - 4.5 * DAY
    task = view.enqueue(Dated(86400, start, catchUp="none"))
    with running(database):
        view.until(lambda: task.getDueOn() > nowutc())
        order = ["cmd", "backfill", str(task.getId()), "--since", "5d", "--json"]
        assert main([*order, "--database", uri]) == 0
        assert json.loads(capsys.readouterr().out) == {"task": task.getId(), "dates": 5}
        view.until(lambda: len(view.root.get("dates", ())) == 5)
    assert main([*order[:2], "nothing", *order[3:], "--database", uri]) == 1
    assert "no schedule is declared for 'nothing'" in capsys.readouterr().err
