"""How keys and tokens are used is recorded, and slows down and disturbs nobody."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.auth.tokens import tokens
from export.auth.usage import Usage, UsageLog, Uses
from export.signature import build_indico_request
from scheduler.store import open_database, transact
from tests.export.planting import plant
from tests.waiting import wait_for

PATH = "/export/event/137346.json"
CLIENTS = 8
REQUESTS = 25


@pytest.fixture
def stored(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")
    transact(database, plant)
    yield database
    database.close()


@pytest.fixture
def key(stored):
    def create(connection):
        made = key_ring(connection).create("ann")
        return made.key, made.secret

    return transact(stored, create)


def usage(database, key):
    def read(connection):
        found = key_ring(connection).find(key).usage
        return found.count, found.address, found.request, found.authenticated

    return transact(database, read)


def test_the_last_use_of_a_key_is_told_without_its_secrets(stored, key):
    app = make_app(stored, {"api_mode": "SIGNED"})
    client = Client(app)
    client.get(f"{PATH}?ak={key[0]}", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    client.get(f"{PATH}?ak=unknown")
    client.get(f"{PATH}?ak={key[0]}&limit=x")
    app.close()
    assert usage(stored, key[0]) == (1, "192.0.2.1", f"{PATH}?ak=...", False)

    client.get(build_indico_request(PATH, {"pretty": "yes"}, *key))
    app.close()
    assert usage(stored, key[0]) == (2, "", f"{PATH}?apikey=...&pretty=yes", True)


def test_a_request_commits_nothing_itself(stored, key):
    app = make_app(stored)
    before = stored.lastTransaction()
    Client(app).get(f"{PATH}?ak={key[0]}")
    assert stored.lastTransaction() == before
    app.close()
    assert stored.lastTransaction() != before


def test_uses_of_many_clients_of_several_servers_add_up_without_a_conflict(stored, key, caplog):
    caplog.set_level(logging.DEBUG, "scheduler.store.transact")
    apps = [make_app(stored) for _ in range(2)]

    def ask(app):
        client = Client(app)
        for _ in range(REQUESTS):
            assert client.get(f"{PATH}?ak={key[0]}").status_code == 200
        app.usage.close()

    clients = [threading.Thread(target=ask, args=(apps[n % 2],)) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert usage(stored, key[0])[0] == CLIENTS * REQUESTS
    assert " met " not in caplog.text  # what the log of a unit of work says of a conflict


def test_records_that_meet_add_up():
    def state(count, second):
        return {"count": count, "last": datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)}

    assert Usage()._p_resolveConflict(state(3, 0), state(5, 9), state(4, 4)) == state(6, 9)
    assert Usage()._p_resolveConflict({}, state(5, 4), state(4, 9)) == state(9, 9)


def test_uses_that_cannot_be_written_now_are_written_later(stored, key, monkeypatch, caplog):
    log = UsageLog(stored)
    digest = transact(stored, lambda connection: key_ring(connection).find(key[0]).digest)
    use = Uses(1, datetime(2026, 1, 1, tzinfo=UTC), "", PATH, True)
    log.note((key_ring, digest), use)
    with monkeypatch.context() as broken:
        broken.setattr("export.auth.usage.transact", None)
        log.close()
    assert "it is retried" in caplog.text
    log.note((key_ring, digest), use)
    log.close()
    assert usage(stored, key[0])[0] == 2


def test_uses_are_written_after_a_while(stored, key, monkeypatch):
    monkeypatch.setattr("export.auth.usage.WRITE_SECONDS", 0.01)
    app = make_app(stored)
    Client(app).get(f"{PATH}?ak={key[0]}")
    wait_for(lambda: usage(stored, key[0])[0] == 1)


def test_a_key_that_has_gone_meanwhile_is_passed_over(stored, key):
    app = make_app(stored)
    Client(app).get(f"{PATH}?ak={key[0]}")

    def revoke(connection):
        ring = key_ring(connection)
        ring.revoke(ring.find(key[0]))

    transact(stored, revoke)
    app.close()


def test_uses_of_tokens_are_counted_too(stored):
    text = transact(
        stored, lambda connection: tokens(connection).create("ann", "a", ["read:legacy_api"])[1]
    )
    app = make_app(stored)
    Client(app).get(PATH, headers={"Authorization": f"Bearer {text}"})
    app.close()
    count = transact(stored, lambda connection: tokens(connection).find(text).usage.count)
    assert count == 1
