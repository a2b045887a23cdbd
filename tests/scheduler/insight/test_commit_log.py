"""Which task changed an object, and which objects a task changed, told from the history.

Covers `scheduler.worker.commit_signature`, `scheduler.store.stored_state`.
"""

from __future__ import annotations

import pytest
import transaction
from ZODB.utils import u64

from scheduler import nowutc
from scheduler.errors import NoHistory
from scheduler.insight.commit_log import commits_of, culprits, task_commits
from scheduler.store import open_database
from tests.scheduler.bank import Bank, Chain, Deposit, Lottery, Opening
from tests.scheduler.harness import serial


@pytest.fixture
def bank(relay):
    bank = relay.connection.root()["bank"] = Bank()
    transaction.commit()
    return bank


def number(obj):
    return u64(obj._p_oid)


def last_culprits(relay, obj):
    commit = next(commits_of(relay.connection, number(obj)))
    return [signature.task for signature in culprits(commit, number(obj))]


def changed_by(relay, task):
    commit, signature = next(task_commits(relay.connection, task.getId()))
    return commit.changed_by(signature)


def test_the_task_that_changed_an_object_last_is_named(relay, bank, one_commit):
    ann, bob = bank.accounts.values()
    to_ann, to_bob = Deposit(ann, 5), Deposit(bob, 7)
    relay.enqueue(to_ann, to_bob)
    relay.run_due()
    assert serial(ann) == serial(bob)
    assert last_culprits(relay, ann) == [to_ann.getId()]
    assert last_culprits(relay, bob) == [to_bob.getId()]


def test_each_task_of_a_shared_commit_has_the_objects_that_it_changed(relay, bank, one_commit):
    ann, bob = bank.accounts.values()
    to_ann, to_bob = Deposit(ann, 5), Deposit(bob, 7)
    relay.enqueue(to_ann, to_bob)
    relay.run_due()
    assert changed_by(relay, to_ann) == {number(ann)}
    assert changed_by(relay, to_bob) == {number(bob)}


def test_objects_that_a_task_made_are_its_own(relay, bank, one_commit):
    opening, deposit = Opening(bank, "cyd"), Deposit(bank.accounts["ann"], 5)
    relay.enqueue(opening, deposit)
    relay.run_due()
    assert changed_by(relay, opening) == {number(bank.accounts), number(bank.accounts["cyd"])}
    assert changed_by(relay, deposit) == {number(bank.accounts["ann"])}


def test_a_commit_names_try_and_version(relay, bank):
    task = Deposit(bank.accounts["ann"], 5)
    relay.enqueue(task)
    relay.run_due()
    ((commit, signature),) = task_commits(relay.connection, task.getId())
    assert signature.attempt == 1
    assert signature.version == task.getAttempts()[-1].version
    assert abs((commit.date - nowutc()).total_seconds()) < 60


def test_a_failed_try_has_changed_nothing(relay, bank):
    task = Lottery(bank.accounts["ann"], -1)
    relay.enqueue(task)
    relay.run_due()
    assert changed_by(relay, task) == set()


def test_enqueued_tasks_are_told_and_the_spool_is_not(relay, bank):
    task = Chain(bank.accounts["ann"], 5)
    relay.enqueue(task)
    _, child = relay.run_due()
    assert changed_by(relay, task) == {number(bank.accounts["ann"]), child.getId()}


def test_a_change_by_nobody_s_task_has_no_culprit(relay, bank):
    relay.connection.root()["bank"].accounts["ann"].balance = 3
    transaction.commit()
    assert last_culprits(relay, bank.accounts["ann"]) == []


def test_where_no_history_is_kept_that_is_said(tmp_path, monkeypatch, relay_clock):
    database = open_database("memory://")
    with database.transaction() as connection, pytest.raises(NoHistory, match="keeps no history"):
        next(commits_of(connection, 0))
    database.close()
