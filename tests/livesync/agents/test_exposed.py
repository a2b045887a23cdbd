"""Every kind of target gets an exposed object in its fossil, and its deletion.

Covers `livesync.capture.expose`, `livesync.records.shape`.
"""

from __future__ import annotations

import json

import pytest

from livesync import SyncManager
from livesync.agents.cernsearch import CERNSearchUploadAgent
from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.postgres import PostgresAgent
from livesync.agents.webhook import WebhookAgent
from livesync.capture.listeners import ObjectChangeListener
from livesync.delivery.deliverer import UP_TO_DATE, Deliverer
from livesync.watching import expose, unwatch
from scheduler.store import transact
from tests.livesync.shop import IOrderFossil, Order, plain_number
from tests.postgres import query

NAME = "tests.livesync.shop.Order:7"


@pytest.fixture
def sell(database):
    """Sell an order, deliver it to an agent, and delete it again."""
    expose(Order, fossil=IOrderFossil, identify=plain_number)

    def sell(agent):
        def plant(connection):
            SyncManager.getDBInstance(connection).registerNewAgent(agent)
            connection.root()["7"] = Order("7", {"eur\0": [12.5]})

        transact(database, plant)
        assert Deliverer(database, "a").deliver(None).outcome == UP_TO_DATE

    yield sell
    unwatch()


@pytest.fixture
def delete(database):
    def delete():
        def work(connection):
            ObjectChangeListener().deleted(connection.root()["7"], connection.root())

        transact(database, work)
        assert Deliverer(database, "a").deliver(None).outcome == UP_TO_DATE

    return delete


def test_a_webhook_is_posted_the_fossil(sell, delete, target):
    sell(WebhookAgent("a", "A", "", 60, url=target.url))
    delete()
    bodies = [json.loads(body)["records"] for body in target.bodies]
    (made,), (gone, *_) = bodies

    assert made["title"] == "Order 7"
    assert made["total"] == {"eur\0": [12.5]}
    assert (made["id"], made["status"]) == ("7", "created")
    assert (gone["id"], gone["status"]) == ("7", "deleted")


def test_a_search_engine_indexes_the_fossil_without_names_of_its_own(sell, target):
    items = [{"index": {"status": 201}}]
    target.answers = [(200, {}, json.dumps({"items": items}).encode())]
    sell(OpenSearchAgent("a", "A", "", 60, url=target.url))
    about, document = (json.loads(line) for line in target.bodies[0].splitlines())

    assert about["index"]["_id"] == NAME
    assert document["title"] == "Order 7"
    assert not any(name.startswith("_") for name in document)


def test_a_table_keeps_the_fossil(sell, postgres_uri):
    sell(PostgresAgent("a", "A", "", 60, dsn=postgres_uri, table="orders"))
    found = query(postgres_uri, "SELECT id, document->>'title', document->>'total' FROM orders")
    assert found == [(NAME, "Order 7", '{"eur\ufffd": [12.5]}')]


def test_the_search_engine_of_cern_gets_the_fossil_in_marc(sell, target):
    target.answers = [(200, {}, b"<r>true</r>")]
    sell(CERNSearchUploadAgent("a", "A", "", 60, url=target.url))

    assert b"Order+7" in target.bodies[0]
    assert f"INDICO.{NAME}".replace(":", "%3A").encode() in target.bodies[0]
