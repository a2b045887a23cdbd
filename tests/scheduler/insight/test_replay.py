"""Attempts of the past, run again on what they saw."""

from __future__ import annotations

import random
import time

import pytest
import transaction

from scheduler.errors import NoHistory
from scheduler.insight.replay import replay
from tests.scheduler.bank import Account, Deposit, Lottery
from tests.scheduler.harness import serial


@pytest.fixture
def ann(relay):
    ann = relay.connection.root()["ann"] = Account()
    transaction.commit()
    return ann


def ran(relay, *tasks):
    relay.enqueue(*tasks)
    relay.run_due()
    return tasks[0]


def replayed(relay, task, index=-1):
    return replay(relay.database, task.getId(), task.getAttempts()[index])


def test_an_attempt_sees_again_what_it_saw(relay, ann):
    task = ran(relay, Deposit(ann, 5))
    ann.balance = 1000
    transaction.commit()
    found = replayed(relay, task)
    (change,) = found.now.changes
    assert change.differences == [("balance", "100", "105")]
    assert found.is_alike


def test_chance_and_clock_are_as_they_were(relay, ann):
    task = ran(relay, Lottery(ann, -1))
    relay.clock.advance(3600)
    found = replayed(relay, task)
    assert found.message == task.getAttempts()[-1].message
    assert found.message.startswith("ValueError: lost ")
    assert found.is_alike


def test_a_run_leaves_the_random_numbers_of_the_process_alone(relay, ann):
    random.seed(5)
    expected = random.Random(5).random()
    ran(relay, Lottery(ann, 0))
    assert random.random() == expected


def test_the_writes_are_compared_with_those_committed(relay, ann, monkeypatch):
    task = ran(relay, Lottery(ann, 1))
    assert replayed(relay, task).is_alike
    monkeypatch.setattr(Lottery, "run", lambda self: setattr(self.account, "balance", 8))
    (change,) = replayed(relay, task).differences
    ((name, before, after),) = change.differences
    assert (name, after) == ("balance", "8")
    assert before == str(ann.balance)


def test_writes_in_a_shared_commit_are_told_apart(relay, ann, one_commit):
    bob = relay.connection.root()["bob"] = Account()
    transaction.commit()
    task = ran(relay, Deposit(ann, 5), Deposit(bob, 7))
    assert serial(ann) == serial(bob)
    assert replayed(relay, task).is_alike


def test_a_repetition_that_does_not_fail_is_told(relay, ann, monkeypatch):
    task = ran(relay, Lottery(ann, -1))
    monkeypatch.setattr(Lottery, "run", lambda self: None)
    found = replayed(relay, task)
    assert found.message == ""
    assert not found.is_alike


def test_a_past_that_was_packed_away_is_said_to_be_gone(relay, ann):
    task = ran(relay, Deposit(ann, 5))
    ann.balance = 3
    transaction.commit()
    relay.database.pack(time.time() + 10)
    with pytest.raises(NoHistory, match="packed"):
        replayed(relay, task)
