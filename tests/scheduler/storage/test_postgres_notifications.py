"""PostgreSQL tells of its transactions; where it cannot, it is asked."""

from __future__ import annotations

import pytest

from scheduler.storage import postgres_notifications
from scheduler.store import open_database, transact
from scheduler.store.commit_signal import CommitSignal
from tests.postgres import query
from tests.waiting import DEADLINE


@pytest.fixture
def opened(postgres_uri):
    database = open_database(postgres_uri)
    yield database
    database.close()


@pytest.fixture
def wake(opened):
    wake = CommitSignal(opened)
    yield wake
    wake.close()


def count(connection):
    root = connection.root()
    root["count"] = root.get("count", 0) + 1


def test_a_lost_connection_is_made_again_and_counts_as_news(opened, wake, postgres_uri):
    ended = query(
        postgres_uri,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN relay'",
    )
    assert ended == [(True,)]
    assert wake.wait(DEADLINE)
    transact(opened, count)
    assert wake.wait(DEADLINE)


def test_a_database_that_may_not_announce_is_polled(opened, monkeypatch):
    monkeypatch.setattr(postgres_notifications, "HAS_TRIGGER", "SELECT 1 WHERE false")
    monkeypatch.setattr(postgres_notifications, "MAKE_TRIGGER", "SELECT not_allowed()")
    wake = CommitSignal(opened)
    try:
        transact(opened, count)
        assert wake.wait(DEADLINE)
    finally:
        wake.close()
