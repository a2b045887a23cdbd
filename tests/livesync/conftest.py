"""Managers and connections for the tests of livesync."""

from __future__ import annotations

import pytest
import transaction

from livesync import SyncManager
from scheduler.store import using
from tests.livesync.agents_for_tests import Target, received, targets


@pytest.fixture
def target():
    """The target, in this process, of the agent `a`."""
    target = targets["a"] = Target()
    yield target
    targets.clear()


@pytest.fixture
def open_connection(database):
    """Open connections with a transaction manager of their own; close them all at the end."""
    opened = []

    def open_one():
        connection = database.open(transaction_manager=transaction.TransactionManager())
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        connection.transaction_manager.abort()
        connection.close()


@pytest.fixture
def connection(open_connection):
    """The current connection of the test."""
    connection = open_connection()
    with using(connection):
        yield connection


@pytest.fixture
def commit(connection):
    return connection.transaction_manager.commit


@pytest.fixture
def manager(connection, commit):
    manager = SyncManager.getDBInstance()
    commit()
    return manager


@pytest.fixture(autouse=True)
def deliveries():
    """What the agents of the tests have delivered: a list of batches by agent id."""
    received.clear()
    return received
