"""Requests that wait until an agent has delivered a transaction."""

from __future__ import annotations

import threading

import pytest
import transaction
from werkzeug.test import Client
from werkzeug.wrappers import Response

from livesync import ActionWrapper, SyncManager
from livesync.feed.delivery_waits import token
from livesync.http import wait_middleware
from livesync.http.wait_middleware import WaitMiddleware
from livesync.testing import AGENT_ID
from scheduler.store import transact
from scheduler.store.position import SCHEMA, token_of
from tests.waiting import DEADLINE


@pytest.fixture
def client(relay, recorded_agent):
    def application(environ, start):
        return Response("passed")(environ, start)

    return Client(WaitMiddleware(application, relay.database))


@pytest.fixture
def wanted(relay, client):
    """The token of a change that is recorded and not delivered."""
    manager = SyncManager.getDBInstance()
    now = int(relay.clock.now.timestamp())
    manager.add(now, ActionWrapper(now, manager, {"data_changed"}, "1"))
    transaction.commit()
    return token(AGENT_ID, relay.connection)


def test_requests_without_a_token_pass(client):
    assert client.get("/export/x.json?afterwards=1").text == "passed"


def test_a_request_passes_where_its_transaction_is_delivered(client, wanted, recorded_agent):
    recorded_agent.push()
    assert client.get(f"/x?after={wanted}").text == "passed"


def test_a_request_waits_for_the_delivery(relay, client, wanted):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(client.get(f"/x?after={wanted}")))
    waiting.start()
    assert answers == []

    def deliver(connection):
        agent = SyncManager.getDBInstance(connection).getAgent(AGENT_ID)
        agent.run(None, dbi=connection)
        agent.acknowledge()

    transact(relay.database, deliver)
    waiting.join(DEADLINE)
    assert [answer.text for answer in answers] == ["passed"]


def test_a_request_waits_no_longer_than_it_may(client, wanted, monkeypatch):
    monkeypatch.setattr(wait_middleware, "LONGEST_WAIT", 0.05)
    answer = client.get(f"/x?after={wanted}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["message"] == f"Agent '{AGENT_ID}' has not delivered this yet"
    problem = client.get(f"/x?after={wanted}", headers={"Accept": "application/problem+json"})
    assert (problem.content_type, problem.json["status"]) == ("application/problem+json", 503)


@pytest.mark.parametrize("value", ["nonsense", "nobody:0000000000000001", "%ff:%00", ""])
def test_a_token_that_is_none_is_refused(client, value):
    answer = client.get(f"/x?after={value}")
    # An empty parameter is none.
    assert answer.status_code == (200 if value == "" else 400)
    assert AGENT_ID not in answer.text


def test_the_position_of_an_answer_is_waited_for_by_agents_and_by_itself(
    relay, client, wanted, recorded_agent
):
    position = token_of(relay.connection, wanted.tid)
    assert client.get(f"/x?after={position}").text == "passed"
    recorded_agent.push()
    assert client.get(f"/x?after={AGENT_ID}:{position}").text == "passed"
    foreign = f"{position[:-1]}{'A' if position[-1] != 'A' else 'B'}"
    assert client.get(f"/x?after={foreign}").status_code == 400
    assert client.get(f"/x?after={AGENT_ID}:{foreign}").status_code == 400
    transact(relay.database, lambda own: SCHEMA.get(own).begin_epoch())
    assert client.get(f"/x?after={position}").status_code == 410
