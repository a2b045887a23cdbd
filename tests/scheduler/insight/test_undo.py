"""What a task changed is taken back, where nothing later needs it."""

from __future__ import annotations

import pytest
import transaction
from dateutil import rrule

from scheduler import TASK_STATUS_FINISHED
from scheduler.errors import TaskInconsistentStatusException, UndoRefused
from scheduler.insight.undo import undo
from tests.scheduler.bank import Chain, Deposit, Interest, Opening, later
from tests.scheduler.harness import serial


def ran(relay, *tasks):
    relay.enqueue(*tasks)
    relay.run_due()
    return tasks[0]


def undone(relay, task):
    done = undo(relay.connection, task)
    transaction.commit()
    return done


def test_objects_that_a_task_changed_are_again_as_they_were(relay, ann):
    task = ran(relay, Deposit(ann, 5))
    assert ann.balance == 105
    assert undone(relay, task).restored == [ann]
    assert ann.balance == 100


def test_only_the_task_itself_is_undone_in_a_shared_commit(relay, bank, ann, one_commit):
    bob = bank.accounts["bob"]
    task = ran(relay, Deposit(ann, 5), Deposit(bob, 7))
    assert serial(ann) == serial(bob)
    undone(relay, task)
    assert (ann.balance, bob.balance) == (100, 107)


def test_the_task_is_kept_as_undone(relay, ann):
    task = ran(relay, Deposit(ann, 5))
    undone(relay, task)
    assert task.isUndone()
    assert task.getUndoneOn() == relay.clock.now
    assert task.getStatus() == TASK_STATUS_FINISHED
    with pytest.raises(TaskInconsistentStatusException, match="undone already"):
        undo(relay.connection, task)


def test_objects_that_it_made_are_referred_to_no_more(relay, bank):
    task = ran(relay, Opening(bank, "cyd"))
    cyd = bank.accounts["cyd"]
    assert undone(relay, task).made == [cyd]
    assert sorted(bank.accounts) == ["ann", "bob"]


def test_a_later_change_is_in_the_way_and_named(relay, ann):
    task = ran(relay, Deposit(ann, 5))
    other = ran(relay, Deposit(ann, 1))
    with pytest.raises(UndoRefused, match=rf"\(task {other.getId()}\) changed Account"):
        undo(relay.connection, task)
    undone(relay, other)
    with pytest.raises(UndoRefused):
        undo(relay.connection, task)  # the undo was a change, too
    assert ann.balance == 105


def test_a_change_in_the_same_commit_is_in_the_way(relay, ann, one_commit):
    task = ran(relay, Deposit(ann, 5), Deposit(ann, 1))
    with pytest.raises(UndoRefused, match="in the same commit"):
        undo(relay.connection, task)


def test_a_task_that_it_enqueued_is_withdrawn_while_it_waits(relay, ann, monkeypatch):
    monkeypatch.setattr(Deposit, "getDueOn", lambda self: relay.clock.now.replace(year=2200))
    task = Chain(ann, 5)
    monkeypatch.setattr(Chain, "getDueOn", lambda self: relay.clock.now)
    ran(relay, task)
    (child,) = undone(relay, task).withdrawn
    relay.run_due()
    assert relay.client.getStatus()["waiting"] == 0
    assert ann.balance == 100
    assert child.getAttempts() == ()


def test_a_task_that_it_enqueued_and_that_has_run_is_in_the_way(relay, ann):
    task = ran(relay, Chain(ann, 5))
    with pytest.raises(UndoRefused, match="which it enqueued, has begun"):
        undo(relay.connection, task)


def test_a_tasks_own_instructions_are_not_in_the_way(relay, bank, ann):
    task = ran(relay, Deposit(ann, 5))
    relay.client.enqueue(later(bank.accounts["bob"]))
    transaction.commit()
    undone(relay, task)
    assert len(relay.run_due()) == 1


def test_a_periodic_task_goes_on_after_its_last_run_was_undone(relay, ann):
    task = Interest(rrule.HOURLY, dtstart=relay.clock.now)
    task.account = ann
    ran(relay, task)
    assert ann.balance == 110
    undone(relay, task)
    assert ann.balance == 100
    assert len(task.getOccurrences()) == 1
    relay.clock.advance(3600)
    relay.run_due()
    assert ann.balance == 110
    assert not task.isUndone()
