"""A database of its own for each test that asks for one."""

from __future__ import annotations

import pytest
import transaction

from scheduler.store import open_database, using


@pytest.fixture
def database(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")
    yield database
    database.close()


@pytest.fixture
def connection(database):
    """The current connection of the test."""
    connection = database.open(transaction_manager=transaction.TransactionManager())
    with using(connection):
        yield connection
    connection.transaction_manager.abort()
    connection.close()
