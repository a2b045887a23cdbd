"""Rows of a real PostgreSQL."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from livesync import ActionWrapper
from livesync.agents import postgres
from livesync.agents.postgres import PostgresAgent
from livesync.agents.target import TargetUploader
from livesync.delivery.deliverer import FAILED, UP_TO_DATE, Deliverer
from livesync.errors import PartialFailure, TargetFault
from livesync.records.reduction import STATUS_CREATED, STATUS_DELETED, Record
from tests.livesync.stand_ins import Conference
from tests.postgres import query as query_of


@pytest.fixture
def query(postgres_uri):
    query = partial(query_of, postgres_uri)
    yield query
    query("DROP TABLE IF EXISTS talks, talks_position")


@pytest.fixture
def agent(postgres_uri):
    return PostgresAgent("pg", "PostgreSQL", "", 60, dsn=postgres_uri, table="talks")


@pytest.fixture
def upload(agent):
    agent.getLastTS = lambda: None

    def upload(*records, agent=agent):
        with agent._sender() as send:
            TargetUploader(None, agent, 1000, agent._prepare, send)._uploadBatch(list(records))

    return upload


def created(obj_id, title="", position=1):
    return Record(Conference(obj_id, title=title), obj_id, STATUS_CREATED, position)


def test_records_are_rows_and_come_with_their_position(tree, register, agent, query):
    register(agent)
    assert agent.run(None) is True

    assert query(
        "SELECT id, split_part(key, '-', 1), document->>'title' FROM talks ORDER BY id"
    ) == [
        ("1", "1@1", "Talks & <more>\x0b"),
        ("1.2", "1.2@1", "A talk"),
        ("1.2.3", "1.2.3@1", "A part"),
    ]
    assert query("SELECT * FROM talks_position") == [("pg", 1)]


def test_a_deleted_object_leaves_the_table(tree, register, agent, query, manager, commit):
    register(agent)
    agent.run(None)
    agent.acknowledge()
    manager.add(500, ActionWrapper(500, tree, ["deleted"], "1"))
    commit()
    assert agent.run(None) is True

    assert query("SELECT id FROM talks ORDER BY id") == [("1.2",), ("1.2.3",)]
    assert query("SELECT position FROM talks_position") == [(5,)]


def test_a_batch_that_is_sent_again_takes_effect_once(upload, query):
    upload(created("1", "One"), created("2", "Two"))
    before = query("SELECT id, xmin, ctid FROM talks")
    upload(created("1", "One"), created("2", "Two"))
    assert query("SELECT id, xmin, ctid FROM talks") == before

    upload(created("2", "Zwei", 2))
    assert query("SELECT document->>'title' FROM talks ORDER BY id") == [("One",), ("Zwei",)]


def test_an_older_batch_does_not_move_the_position_back(upload, query):
    upload(created("1", position=7))
    upload(created("2", position=3))

    assert query("SELECT position FROM talks_position") == [(7,)]


def test_of_two_records_of_one_id_the_last_counts(upload, query):
    upload(created("1", "One"), Record(None, "1", STATUS_DELETED, 1), created("2"), created("2"))

    assert query("SELECT id FROM talks") == [("2",)]


def test_any_title_can_be_kept(upload, query):
    upload(created("1", "a\x00b\ud800\\u0000\x1b"))

    assert query("SELECT document->>'title' FROM talks") == [("a\ufffdb\ufffd\\u0000\x1b",)]


def test_a_record_that_the_server_cannot_keep_is_refused_alone(upload, query, agent, monkeypatch):
    broken = {"2": b"{", "4": b'"\\u0000"'}
    prepare = agent._prepare
    monkeypatch.setattr(agent, "_prepare", lambda record: broken.get(record[1]) or prepare(record))

    with pytest.raises(PartialFailure) as caught:
        upload(*(created(obj_id) for obj_id in "12345"))
    assert caught.value.refused.keys() == {1, 3}
    assert query("SELECT id FROM talks ORDER BY id") == [("1",), ("3",), ("5",)]


def test_a_table_that_is_something_else_is_a_failure_with_nothing_half_done(upload, query):
    query("CREATE TABLE talks (id text PRIMARY KEY)")

    with pytest.raises(TargetFault, match='column "key"'):
        upload(created("1"))
    assert query("SELECT count(*) FROM talks_position") == [(0,)]


def test_a_lost_connection_is_opened_again(agent, upload, query):
    with agent._sender() as send:
        uploader = TargetUploader(None, agent, 1000, agent._prepare, send)
        uploader._uploadBatch([created("1")])
        query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid != pg_backend_pid() AND backend_type = 'client backend'"
        )
        with pytest.raises(TargetFault):
            uploader._uploadBatch([created("2")])
        uploader._uploadBatch([created("2")])

    assert query("SELECT id FROM talks ORDER BY id") == [("1",), ("2",)]


def test_several_that_deliver_at_once_wait_for_each_other(postgres_uri, query):
    def deliver(name):
        agent = PostgresAgent("pg", "PostgreSQL", "", 60, dsn=postgres_uri, table="talks")
        agent.getLastTS = lambda: None
        with agent._sender() as send:
            uploader = TargetUploader(None, agent, 1000, agent._prepare, send)
            for number in range(10):
                uploader._uploadBatch([created(f"{name}{number}-{part}") for part in range(5)])

    query("DROP TABLE IF EXISTS talks, talks_position")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, "abcd"))

    assert query("SELECT count(*) FROM talks") == [(200,)]


def test_a_server_that_freezes_is_given_up(agent, query, monkeypatch):
    with agent._sender() as send:
        ((frozen,),) = query(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        os.kill(frozen, signal.SIGSTOP)
        try:
            with monkeypatch.context() as at_once:
                at_once.setattr(postgres, "LONGEST_EXCHANGE_SECONDS", 1)
                with pytest.raises(TargetFault, match="took longer than 1 s to answer"):
                    send([])
        finally:
            os.kill(frozen, signal.SIGCONT)
        send([])


def test_a_server_that_is_not_there_is_named_without_the_password(upload):
    agent = PostgresAgent(
        "pg", "PostgreSQL", "", 60, dsn="postgresql://ann:s3cret@127.0.0.1:1/db", table="talks"
    )

    with pytest.raises(TargetFault, match=r"user=ann.*host=127.0.0.1") as caught:
        upload(created("1"), agent=agent)
    assert "s3cret" not in str(caught.value)


def test_a_dsn_that_is_none_is_refused():
    with pytest.raises(ValueError, match="dsn is no connection string"):
        PostgresAgent("pg", "PostgreSQL", "", 60, dsn="s3cret")


def test_a_table_whose_rules_no_row_keeps_is_at_fault(
    tree, register, agent, query, database, manager, commit
):
    register(agent)
    query("CREATE TABLE talks (id text PRIMARY KEY, key text, document jsonb, CHECK (id > 'x'))")
    for number in range(5):
        event = Conference(f"more {number}", tree.getOwner())
        manager.add(100, ActionWrapper(100, event, ["created"], event.getId()))
    commit()
    assert Deliverer(database, "pg").deliver(None).outcome == FAILED
    query("ALTER TABLE talks DROP CONSTRAINT talks_id_check")
    query("ALTER TABLE talks ADD CHECK (id != '1.2')")

    assert Deliverer(database, "pg").deliver(None) == (UP_TO_DATE, 7, "")
    tree._p_jar.sync()
    (letter,) = agent.delivery_state.dead_letters.dead()
    assert letter.record[1] == "1.2"
