"""A world, and a replica of it."""

from __future__ import annotations

import pytest
import transaction

from livesync import components
from scheduler.store import open_database, using
from tests.livesync.records.world import World, replicas


@pytest.fixture
def world():
    replicas.clear()
    components.connect()
    database = open_database("memory://")
    connection = database.open(transaction_manager=transaction.TransactionManager())
    with using(connection):
        yield World(database, connection)
    connection.transaction_manager.abort()
    connection.close()
    database.close()
    components.disconnect()


@pytest.fixture
def replica(world):
    return world.add_agent("a")
