"""Whoever waits for commits is woken by those of others, and not by its own."""

from __future__ import annotations

import pytest
import transaction

from scheduler.store import open_database, transact
from scheduler.store.commit_signal import CommitSignal
from tests.waiting import DEADLINE

QUIET_SECONDS = 0.3


@pytest.fixture(params=["direct", "joined", "postgres"])
def opened(request, tmp_path):
    """A database in each of the ways in which it is told of commits."""
    if request.param == "postgres":
        uri = request.getfixturevalue("postgres_uri")
    else:
        uri = f"file://{tmp_path}/data.fs"
    owner = open_database(uri) if request.param == "joined" else None
    database = open_database(uri)
    yield database
    database.close()
    if owner is not None:
        owner.close()


@pytest.fixture
def wake(opened):
    wake = CommitSignal(opened)
    yield wake
    wake.close()


def count(connection):
    root = connection.root()
    root["count"] = root.get("count", 0) + 1


def test_a_commit_of_another_connection_wakes(opened, wake):
    transact(opened, count)
    assert wake.wait(DEADLINE)


def test_a_commit_of_another_process_wakes(opened, wake):
    other = open_database(opened.uri)
    try:
        transact(other, count)
        assert wake.wait(DEADLINE)
    finally:
        other.close()


def test_a_commit_of_ones_own_does_not_wake(opened, wake):
    manager = transaction.TransactionManager()
    connection = opened.open(transaction_manager=manager)
    wake.ignore(connection)
    for _ in range(3):
        count(connection)
        manager.commit()
        assert not wake.wait(QUIET_SECONDS)
    transact(opened, count)
    assert wake.wait(DEADLINE)
    connection.close()


def test_nothing_wakes_where_nothing_is_committed(opened, wake):
    transact(opened, lambda own: own.root().get("count"))
    assert not wake.wait(QUIET_SECONDS)


def test_a_call_of_set_wakes(wake):
    wake.set()
    assert wake.wait(DEADLINE)
