"""Persistent addresses with keys of their own, and what is taken over from elsewhere.

Covers `export.cli.feeds`.
"""

from __future__ import annotations

import hashlib
import json

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.cli.main import main
from export.model.access import Protection
from export.people.user import Avatar, users
from export.settings import ApiMode
from export.signature import build_indico_request
from scheduler.store import open_database, transact
from tests.export.planting import change, error, get, plant

ADDRESS = "/export/categ/2.json?from=2011-01-01&limit=5"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/data.fs")

    def call(*arguments, status=0):
        assert main(arguments) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return call


@pytest.fixture
def stored(run, tmp_path):
    """The planted event, open to Ann alone."""
    database = open_database(f"file://{tmp_path}/data.fs")
    transact(database, plant)
    transact(database, lambda connection: users(connection).add(Avatar("7", login="ann")))
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("7"))
    yield database
    database.close()


def facts(text):
    return dict(line.split(maxsplit=1) for line in text.splitlines())


@pytest.fixture
def feed(run, stored):
    return facts(run("feed", "create", "--user", "7", ADDRESS))


@pytest.mark.parametrize("mode", list(ApiMode))
def test_a_feed_opens_its_address_in_every_mode(stored, feed, mode):
    client = Client(make_app(stored, {"api_mode": mode}))
    assert [event["id"] for event in get(client, feed["feed"])] == ["137346"]


@pytest.mark.parametrize(
    "other",
    [
        "/export/categ/2.json?from=2011-01-01&limit=6&ak=KEY",
        "/export/categ/2.json?from=2011-01-01&ak=KEY",
        "/export/categ/2.json?from=2011-01-01&limit=5&limit=6&ak=KEY",
        "/export/categ/2.json?from=2011-01-01&limit=5&detail=contributions&ak=KEY",
        "/export/categ/2.ics?from=2011-01-01&limit=5&ak=KEY",
        "/export/event/137346.json?ak=KEY",
        "/export/event/137346.json?apikey=KEY",
        "/export/categ/0.json?ak=KEY&from=2011-01-01&limit=5",
    ],
)
@pytest.mark.parametrize("mode", ["KEY", "SIGNED"])
def test_a_key_of_a_feed_opens_nothing_else(stored, feed, other, mode):
    client = Client(make_app(stored, {"api_mode": mode}))
    key = feed["feed"].rpartition("ak=")[2]
    status, message = error(client, other.replace("KEY", key))
    assert (status, message[:35]) == (403, "This API key opens one address only")


def test_each_feed_has_a_key_of_its_own_that_is_shown_and_revoked(run, stored, feed):
    client = Client(make_app(stored))
    other = facts(
        run("feed", "create", "--user", "7", "https://example.org/export/event/137346.json")
    )
    assert other["feed"].startswith("https://example.org/export/event/137346.json?ak=")
    assert run("feed", "show", feed["id"]).strip() == feed["feed"]
    listed = run("feed", "list", "--json")
    assert {row["address"] for row in json.loads(listed)} == {
        ADDRESS,
        "https://example.org/export/event/137346.json",
    }
    assert feed["feed"].rpartition("ak=")[2] not in listed
    run("feed", "revoke", feed["feed"])
    assert error(client, feed["feed"]) == (403, "Invalid API key")
    assert get(client, other["feed"].removeprefix("https://example.org"))


def test_the_use_of_a_feed_is_recorded_without_its_key(run, stored, feed):
    app = make_app(stored)
    answer = Client(app).get(feed["feed"])
    app.close()
    key = feed["feed"].rpartition("ak=")[2]
    assert answer.json["url"] == f"{ADDRESS}&ak=..."
    (row,) = json.loads(run("feed", "list", "--json"))
    assert row["uses"] == 1
    assert key not in answer.text


def test_a_feed_of_a_blocked_user_opens_nothing(run, stored, feed):
    run("user", "block", "ann")
    assert error(Client(make_app(stored)), feed["feed"]) == (403, "API key is blocked")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/api/user/", "is no address of the export"),
        ("export/categ/2.ics", "is no address of the export"),
        ("/export/categ/2.ics?ak=1", "has 'ak' already"),
        ("/export/categ/2.ics?x=1&Signature=1", "has 'Signature' already"),
    ],
)
def test_an_address_that_cannot_be_followed_is_refused(run, stored, address, message):
    assert message in run("feed", "create", "--user", "7", address, status=1)


@pytest.mark.parametrize("mode", ["KEY", "ONLYKEY"])
def test_a_key_that_stands_in_addresses_for_ever_opens_nothing_unsigned(stored, mode):
    def make(connection):
        made = key_ring(connection).create("7", persistent_allowed=True)
        return made.key, made.secret

    key, secret = transact(stored, make)
    client = Client(make_app(stored, {"api_mode": mode, "persistent_signatures": True}))
    path = "/export/event/137346.json"
    assert get(client, build_indico_request(path, {}, key, secret, persistent=True))
    assert error(client, f"{path}?ak={key}") == (403, "Signature missing")


def test_by_default_a_key_without_a_signature_is_nobody(stored):
    key = transact(stored, lambda connection: key_ring(connection).create("7").key)
    client = Client(make_app(stored))
    assert get(client, f"/export/event/137346.json?ak={key}") == []
    status, message = error(client, f"/export/user/categ_events.json?ak={key}")
    assert (status, message.partition(". ")[2]) == (
        403,
        "The API key does not count without a signature: sign the request.",
    )


@pytest.mark.parametrize("verb", ["create", "import"])
def test_a_key_and_its_secret_are_taken_over(run, stored, tmp_path, monkeypatch, verb):
    (tmp_path / "secret").write_text("old secret\n")
    monkeypatch.setenv("OLD_KEY", "old-key")
    given = ("--key", "@env:OLD_KEY", "--secret", f"@{tmp_path}/secret")
    told = run("key", verb, "--user", "7", *given)
    assert "old-key" not in told
    assert "old secret" not in told
    signed = build_indico_request("/export/event/137346.json", {}, "old-key", "old secret")
    assert get(Client(make_app(stored)), signed)


@pytest.mark.parametrize("verb", ["create", "import"])
def test_a_token_is_taken_over_by_its_text_or_its_digest(run, stored, verb):
    first, second = "indp_" + "a" * 42, "a token of old"
    named = ("--user", "7", "--scope", "read:legacy_api")
    run("token", verb, *named, "--name", "a", "--token", first)
    digest = hashlib.sha256(second.encode()).hexdigest()
    told = run("token", verb, *named, "--name", "b", "--digest", digest)
    assert second not in told
    client = Client(make_app(stored))
    for text in (first, second):
        shown = client.get("/export/event/137346.json", headers={"Authorization": f"Bearer {text}"})
        assert len(shown.json["results"]) == 1
    again = run("token", verb, *named, "--name", "c", "--token", first, status=1)
    assert "is there already" in again


def test_a_key_of_somebody_else_is_not_taken_over(run, stored):
    run("key", "import", "--user", "7", "--key", "one", "--secret", "two")
    assert "is that of '7'" in run("key", "import", "--user", "8", "--key", "one", status=1)


def test_a_value_that_cannot_be_read_is_told(run, stored, capsys):
    with pytest.raises(SystemExit):
        main(["key", "import", "--user", "7", "--key", "@/nowhere"])
    assert "/nowhere cannot be read" in capsys.readouterr().err
