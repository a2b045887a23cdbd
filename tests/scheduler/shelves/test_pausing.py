"""Pausing: a named queue, and a schedule whose tries have run out."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from daemon.cli.main import main
from scheduler import nowutc
from tests.scheduler import sample_declared as declared
from tests.scheduler.harness import running
from tests.scheduler.sample_recurring import Failing
from tests.scheduler.sample_tasks import Noop


def test_a_paused_queue_starts_nothing_and_others_go_on(relay):
    relay.client.pause("mail")
    declared.send.enqueue("a")
    declared.book.enqueue(1, "b")
    relay.run_due()
    assert relay.client.isPaused("mail")
    assert not relay.client.isPaused()
    root = relay.connection.root()
    assert (root.get("sent"), root.get("booked")) == (None, ("b",))
    relay.client.resume("mail")
    relay.run_due()
    assert root["sent"] == ("a",)
    assert not relay.client.isPaused("mail")


def test_a_limit_leaves_a_queue_paused_and_a_pause_leaves_its_limit(relay):
    relay.client.limitQueue("mail", atOnce=3)
    relay.client.pause("mail")
    relay.client.limitQueue("mail", atOnce=2, rate=5)
    relay.run_due()
    facts = relay.client.getQueues()["mail"]
    assert (facts["atOnce"], facts["rate"]) == (2, 5)
    assert relay.client.isPaused("mail")


def test_a_queue_without_a_name_is_not_paused(relay):
    with pytest.raises(ValueError, match="the ordinary queue has no name"):
        relay.client.pause("")


def test_a_paused_queue_stays_paused_over_restarts_and_wakes_nobody(view, database, uri, capsys):
    assert main(["cmd", "pause", "--queue", "mail", "--json", "--database", uri]) == 0
    assert json.loads(capsys.readouterr().out) == {"paused": True, "queue": "mail"}
    declared.send.enqueue("a")
    view.commit()
    with running(database):
        view.until_counts(waiting=1)
    main(["show", "queues", "--json", "--database", uri])
    (queue,) = json.loads(capsys.readouterr().out)
    assert (queue["queue"], queue["waiting"], queue["paused"]) == ("mail", 1, True)
    view.enqueue(Noop(nowutc()))
    with running(database):
        view.until_counts(waiting=1, finished=1)
        assert main(["cmd", "resume", "--queue", "mail", "--database", uri]) == 0
        view.until_counts(finished=2)
    assert "The queue 'mail' starts tasks again" in capsys.readouterr().out


@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_a_schedule_is_paused_when_its_tries_have_run_out(relay, overlap):
    task = Failing(10, pauseOnFailure=True, overlap=overlap)
    relay.enqueue(task)
    relay.run_due()
    assert not task.isPaused()
    for _ in range(3):
        relay.clock.advance(5)
        relay.run_due()
    assert task.isPaused()
    tries = [len(run.getAttempts()) for run in task.getOccurrences()]
    assert tries == [2]
    relay.clock.advance(100)
    assert relay.run_due() == []
    relay.client.resumeTask(task)
    assert relay.run_due()


def test_without_the_option_a_schedule_goes_on(relay):
    task = Failing(10)
    relay.enqueue(task)
    for _ in range(6):
        relay.run_due()
        relay.clock.advance(5)
    assert not task.isPaused()
    assert len(task.getOccurrences()) >= 2
    assert task.getDueOn() > nowutc() - timedelta(seconds=11)
