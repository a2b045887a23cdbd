"""A database server may remove what was replaced: nothing keeps a snapshot that is not used.

Covers `scheduler.store.snapshot`.
"""

from __future__ import annotations

from contextlib import closing

import pytest
from ZODB.utils import u64

from scheduler.insight.commit_log import commits_of
from scheduler.store import open_database, transact
from scheduler.store.snapshot import reading_storage
from scheduler.store.stored_objects import records
from tests import postgres
from tests.rest import PostgresPlace


@pytest.fixture
def place(postgres_server):
    with postgres.database(postgres_server) as uri:
        yield PostgresPlace(uri, postgres_server)


@pytest.fixture
def database(place):
    with closing(open_database(place.uri)) as database:
        transact(database, lambda own: own.root().update(item="first"))
        yield database


def test_a_database_that_was_opened_holds_no_snapshot(database, place):
    assert place.snapshots() == []


def test_who_reads_the_storage_itself_gives_the_snapshot_back(database, place):
    with reading_storage(database) as storage:
        assert storage.history(b"\0" * 8)
        assert place.snapshots()
    assert place.snapshots() == []


def test_who_reads_all_records_gives_the_snapshot_back(database, place):
    assert list(records(database.storage))
    assert place.snapshots() == []


def test_who_looks_what_a_commit_changed_gives_the_snapshot_back(database, place):
    def states(connection):
        (commit, *_) = commits_of(connection, u64(connection.root()._p_oid))
        return commit.before(0), commit.states

    before, now = transact(database, states)
    assert before
    assert now
    assert place.snapshots() == []
