"""A position token stands for one state of one database, in one epoch.

Covers `scheduler.store.position`, `scheduler.store.history`.
"""

from __future__ import annotations

from contextlib import closing

import pytest
import ZODB

from scheduler.errors import NoHistory, PositionGone, PositionUnreadable
from scheduler.store import open_database, transact
from scheduler.store.history import oldest_state, past_view, refuse_if_gone
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import SCHEMA, token_of, tokens_of
from tests import postgres


@pytest.fixture(params=["file", "memory", "postgres"])
def database(request, tmp_path):
    if request.param == "memory":
        opened = ZODB.DB(None)
    elif request.param == "file":
        opened = open_database(f"file://{tmp_path}/data.fs")
    else:
        uri = request.getfixturevalue("postgres_uri")
        opened = open_database(uri + ("&" if "?" in uri else "?") + "keep_history=true")
    with closing(opened):
        yield opened


def put(database, value):
    """Store *value*; return the transaction that did."""
    transact(database, lambda connection: connection.root().update(value=value))
    with database.transaction() as connection:
        return snapshot_of(connection)


def test_each_state_is_seen_until_it_is_packed_away(database):
    tids = [put(database, number) for number in range(4)]
    for number, tid in enumerate(tids):
        refuse_if_gone(database, tid)
        with past_view(database, tid) as view:
            assert view.root()["value"] == number
    database.pack()
    last = put(database, "last")
    for tid in tids[:-1]:
        with pytest.raises(PositionGone) as told:
            refuse_if_gone(database, tid)
        assert told.value.oldest == oldest_state(database) == tids[-1]
        with pytest.raises(PositionGone):
            refuse_if_gone(database, tid + 1, is_exact=False)
    for tid in (tids[-1], last):
        refuse_if_gone(database, tid)
        refuse_if_gone(database, tid + 1, is_exact=False)
    with past_view(database, tids[-1]) as view:
        assert view.root()["value"] == 3


def test_a_transaction_that_was_never_there_is_gone(database):
    with pytest.raises(PositionGone):
        refuse_if_gone(database, put(database, 1) + 1)


def test_a_token_is_read_by_its_own_database_in_its_epoch(database):
    put(database, 1)
    with database.transaction() as connection:
        token, tid, tokens = token_of(connection), snapshot_of(connection), tokens_of(connection)
    assert tokens.read(token) == tid
    for text in ("", "x", token[:-1], token[1:] + "A", token.swapcase()):
        with pytest.raises(PositionUnreadable):
            tokens.read(text)
    transact(database, lambda connection: SCHEMA.get(connection).begin_epoch())
    with database.transaction() as connection, pytest.raises(PositionGone, match="restored"):
        tokens_of(connection).read(token)


def test_a_storage_without_history_says_so(postgres_server):
    with (
        postgres.database(postgres_server) as uri,
        closing(open_database(f"{uri}{'&' if '?' in uri else '?'}keep_history=false")) as database,
        pytest.raises(NoHistory, match="keep_history"),
    ):
        refuse_if_gone(database, put(database, 1))
