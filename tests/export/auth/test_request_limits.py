"""Requests are limited per key, token and address; wrong keys are slowed down.

Covers `export.auth.token_buckets`, `export.answers.entrance`.
"""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth import request_limits, token_buckets
from export.auth.api_keys import key_ring
from export.auth.token_buckets import Rate
from export.auth.tokens import tokens
from export.errors import ExportConfigurationException
from scheduler.store import transact
from tests.export.planting import plant

PATH = "/export/event/137346.json"


@pytest.fixture
def seconds(monkeypatch):
    """The monotonic clock, in a list."""
    now = [0.0]
    monkeypatch.setattr(token_buckets, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def serve(database):
    transact(database, plant)
    return lambda **config: Client(make_app(database, config))


def make_token(connection, name):
    return tokens(connection).create("ann", name, ["read:legacy_api"])[1]


def statuses(client, count, path=PATH, **request):
    return [client.get(path, **request).status_code for _ in range(count)]


def test_one_request_too_many_is_refused_until_there_is_room_again(serve, seconds):
    client = serve(rate_limit=3)
    assert statuses(client, 4) == [200, 200, 200, 429]
    refused = client.get(PATH).headers
    assert refused["Retry-After"] == "20"
    assert refused["RateLimit-Remaining"] == "0"
    seconds[0] += 20
    assert statuses(client, 2) == [200, 429]


def test_headers_tell_what_is_left(serve, seconds):
    answer = serve(rate_limit=3).get(PATH)
    told = {name: answer.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")}
    assert told == {"Limit": "3", "Remaining": "2", "Reset": "20"}
    assert "RateLimit-Limit" not in serve().get(PATH).headers


def test_each_token_and_each_address_has_a_limit_of_its_own(serve, seconds, database):
    client = serve(rate_limit=1)
    made = [transact(database, lambda found, name=name: make_token(found, name)) for name in "ab"]
    shown = [{"Authorization": f"Bearer {token}"} for token in made]
    assert [statuses(client, 2, headers=each) for each in shown] == [[200, 429]] * 2
    near = [{"REMOTE_ADDR": f"2001:db8::{number}"} for number in (1, 2)]
    assert [statuses(client, 1, environ_base=each) for each in near] == [[200], [429]]
    assert statuses(client, 2, environ_base={"REMOTE_ADDR": "192.0.2.1"}) == [200, 429]


def test_the_key_of_many_addresses_has_one_limit(serve, seconds, database):
    key = transact(database, lambda found: key_ring(found).create("ann").key)
    client = serve(rate_limit=2, api_mode="KEY")
    found = [
        client.get(f"{PATH}?ak={key}", environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        for number in range(3)
    ]
    assert [each.status_code for each in found] == [200, 200, 429]


def test_wrong_keys_and_tokens_are_slowed_down_and_right_requests_are_not(
    serve, seconds, monkeypatch
):
    monkeypatch.setattr(request_limits, "WRONG", Rate(100, 1.0))
    client = serve()
    wrong = [f"{PATH}?ak={number}" for number in range(60)]
    assert {client.get(address).status_code for address in wrong} == {403}
    bearers = [{"Authorization": f"Bearer {number}"} for number in range(50)]
    told = [client.get(PATH, headers=each).status_code for each in bearers]
    assert told == [401] * 40 + [429] * 10
    assert statuses(client, 1) == [200]
    assert statuses(client, 1, headers=bearers[0], environ_base={"REMOTE_ADDR": "192.0.2.1"}) == [
        401
    ]
    seconds[0] += 1
    assert [client.get(address).status_code for address in wrong[:2]] == [403, 429]


def test_a_token_for_something_else_is_no_wrong_one(serve, seconds, database):
    text = transact(database, lambda found: tokens(found).create("ann", "x", ["registrants"])[1])
    answers = statuses(serve(), 120, headers={"Authorization": f"Bearer {text}"})
    assert set(answers) == {403}


@pytest.mark.parametrize("value", [-1, 1.5, "many", True])
def test_a_limit_is_a_whole_number(database, value):
    with pytest.raises(ExportConfigurationException, match="rate_limit"):
        make_app(database, {"rate_limit": value})
