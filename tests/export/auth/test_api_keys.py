"""Keys, signatures, and whom a request acts as (reference 5.1).

Covers `export.auth.caller`, `export.people.secret`.
"""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import SCHEMA, key_ring
from export.cli.main import main
from export.model.access import Protection
from export.signature import build_indico_request, canonical, sign
from scheduler.store import open_database, transact
from scheduler.store.schema import ROOT_KEY
from tests.export.planting import change, error, get, key_of_ann, plant

Z = "00000000-0000-0000-0000-000000000000"
PATH = "/export/event/137346.json"


@pytest.mark.parametrize(
    ("mode", "without", "with_key"),
    [(0, 200, "ann"), (1, 403, "ann"), (2, 200, None), (3, 403, None), (4, 403, 403)],
)
def test_each_mode_asks_for_its_credentials(database, mode, without, with_key):
    transact(database, plant)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("ann"))
    key, secret = transact(database, key_of_ann)
    client = Client(make_app(database, {"api_mode": mode}))
    path = "/export/event/137346.json"
    assert client.get(path).status_code == without
    answer = client.get(path, query_string={"ak": key})
    if with_key == 403:
        assert answer.json["message"] == "Signature missing"
    else:
        assert len(answer.json["results"]) == (with_key == "ann")
    signed = build_indico_request(path, {"limit": 12, "detail": "events"}, key, secret)
    assert len(get(client, signed)) == 1
    status, message = error(client, signed[:-4] + "zzzz")
    assert (status, message[:19]) == (403, "Signature invalid: ")
    forever = build_indico_request(path, {}, key, secret, persistent=True)
    assert error(client, forever) == (403, "Signature invalid (no timestamp)")
    old = build_indico_request(path, {"timestamp": 1400000000}, key, secret, persistent=True)
    assert error(client, old) == (403, "Signature invalid (bad timestamp)")


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (
            "/export/categ/1337.json",
            f"limit=123&apikey={Z}&timestamp=1400000000",
            "a6879113cc493f4d1474b036e0b4b1a0e076cecc",
        ),
        (
            "/export/categ/1337.json",
            f"T=meeting&O=10&ak={Z}&timestamp=1400000000&empty=&a=2&a=1&room=Big%20Hall",
            "eef8d063dbc50a5720c7a4f54a2bab13ce5d8285",
        ),
        (
            "/export/event/search/ic hep.json",
            f"ak={Z}",
            "d081e08cfabfd438f8b39ede05174c443923488a",
        ),
    ],
)
def test_signatures_are_those_of_the_vectors(path, query, expected):
    assert sign(Z, canonical(path, query)) == expected


@pytest.fixture
def closed(database):
    """The planted event, open to ann alone."""
    transact(database, plant)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("ann"))
    return database


def test_callers_acting_as_a_user_need_a_secure_connection_where_that_is_required(closed):
    client = Client(make_app(closed, {"https_required": True, "api_mode": "KEY"}))
    key, _ = transact(closed, key_of_ann)

    assert error(client, f"{PATH}?ak={key}") == (403, "HTTPS is required")
    assert client.get(PATH).json["results"] == []
    secure = client.get(PATH, query_string={"ak": key}, base_url="https://localhost")
    assert len(secure.json["results"]) == 1


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (-60, True), (60, True), (-61, False), (61, False)]
)
def test_a_timestamp_is_good_for_a_while_before_and_after(closed, stopped_clock, seconds, good):
    client = Client(make_app(closed, {"signature_ttl": 60, "api_mode": "ALL_SIGNED"}))
    key, secret = transact(closed, key_of_ann)
    moment = {"timestamp": int(stopped_clock.now.timestamp()) + seconds}
    address = build_indico_request(PATH, moment, key, secret, persistent=True)
    if good:
        assert len(get(client, address)) == 1
    else:
        assert error(client, address) == (403, "Signature invalid (bad timestamp)")


def test_a_persistent_signature_is_good_where_key_and_installation_allow_it(closed):
    def make(connection):
        made = key_ring(connection).create("ann", persistent_allowed=True)
        return made.key, made.secret

    key, secret = transact(closed, make)
    address = build_indico_request(PATH, {}, key, secret, persistent=True)
    assert "timestamp" not in address

    allowing = Client(make_app(closed, {"api_mode": "ALL_SIGNED", "persistent_signatures": True}))
    assert len(get(allowing, address)) == 1
    assert error(Client(make_app(closed)), address) == (403, "Signature invalid (no timestamp)")


def test_a_blocked_key_and_the_key_before_are_refused(closed):
    def block(connection):
        first = key_ring(connection).create("ann").key
        second = key_ring(connection).create("ann")
        second.blocked = True
        return first, second.key

    old, blocked = transact(closed, block)
    client = Client(make_app(closed))
    assert error(client, f"{PATH}?ak={old}") == (403, "Invalid API key")
    assert error(client, f"{PATH}?ak={blocked}") == (403, "API key is blocked")


def test_a_key_made_by_the_command_opens_what_its_user_may_see(tmp_path, capsys):
    uri = f"file://{tmp_path}/data.fs"
    assert main(["key", "create", "--user", "ann", "--database", uri]) == 0
    made = dict(line.split() for line in capsys.readouterr().out.splitlines())
    database = open_database(uri)
    try:
        transact(database, plant)
        change(database, lambda event: event.setProtection(Protection.RESTRICTED))
        change(database, lambda event: event.grant_access("ann"))
        client = Client(make_app(database, {"api_mode": "ALL_SIGNED"}))
        assert len(get(client, build_indico_request(PATH, {}, made["key"], made["secret"]))) == 1
    finally:
        database.close()


def test_keys_of_an_older_database_are_kept_as_digests_and_go_on(database):
    def plant_old(connection):
        ring = key_ring(connection)
        made = ring.create("ann", key="old-key", secret="old-secret")
        for name in ("digest", "hint", "_secret"):
            del made.__dict__[name]
        made.__dict__.update(key="old-key", secret="old-secret", old_keys=("older",))
        made.usage.request = f"{PATH}?ak=old-key&limit=2"
        connection.root()[ROOT_KEY][SCHEMA.name] = (1, ring)

    def read(connection):
        key = key_ring(connection).of("ann")
        return key.secret, key.usage.request, {*vars(key)} & {"key", "secret"}, key.old_keys

    transact(database, plant_old)
    secret, request, texts, old_keys = transact(database, read)
    assert (secret, request, texts) == ("old-secret", f"{PATH}?ak=...&limit=2", set())
    assert "older" not in old_keys
    address = build_indico_request(PATH, {"onlyauthed": "yes"}, "old-key", "old-secret")
    assert Client(make_app(database)).get(address).status_code == 200


def test_a_key_is_found_with_and_without_its_dashes(database):
    dashed = "0f5bbb3e-9a5c-4d3e-8f60-6a1b2c3d4e5f"
    for user, kept in (("ann", dashed), ("bob", dashed.replace("-", "").replace("0f5b", "1f5b"))):
        transact(database, lambda c, user=user, kept=kept: key_ring(c).create(user, key=kept) and 0)

    def users_of(connection):
        ring = key_ring(connection)
        texts = (dashed, dashed.replace("-", ""), dashed.replace("0f5b", "1f5b"))
        return [ring.find(text).user for text in texts]

    assert transact(database, users_of) == ["ann", "ann", "bob"]
