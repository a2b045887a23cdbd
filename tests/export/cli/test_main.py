"""Users, rights, keys and tokens from the command line.

Covers `export.cli.keys`, `export.cli.parser`, `export.cli.rights`, `export.cli.tokens`,
`export.cli.users`.
"""

from __future__ import annotations

import io
import json

import pytest
from werkzeug.test import Client

from export.app import make_app
from tests.export.planting import get

PATH = "/export/event/137346.json"


@pytest.fixture
def client(run, uri):
    app = make_app(uri, {"api_mode": "KEY"})
    yield Client(app)
    app.close()


def facts(said):
    return dict(line.split() for line in said.splitlines())


def as_json(said):
    return json.loads(said)


def test_rights_are_given_shown_and_taken(run):
    run("user", "create", "7", "--first-name", "Ann", "--login", "ann")
    assert run("right", "list", "event/137346").split() == ["user", "right", "everybody", "access"]
    run("right", "protect", "event/137346", "restricted")
    run("right", "grant", "7", "access", "event/137346")
    run("right", "grant", "8", "modification", "category/2")
    assert as_json(run("right", "list", "event/137346", "--json")) == [
        {"user": "7", "right": "access"},
        {"user": "8", "right": "access"},
        {"user": "8", "right": "modification"},
    ]
    run("right", "revoke", "7", "access", "event/137346")
    run("right", "revoke", "8", "modification", "category/2")
    assert as_json(run("right", "list", "event/137346", "--json")) == []


@pytest.mark.parametrize("part", ["contribution/3", "session/0"])
def test_parts_of_an_event_have_rights_of_their_own(run, part):
    run("right", "grant", "7", "modification", f"event/137346/{part}")
    shown = as_json(run("right", "list", f"event/137346/{part}", "--json"))
    assert {"user": "7", "right": "modification"} in shown


@pytest.mark.parametrize(
    "name", ["event/1", "event", "room/1", "event/137346/contribution/9", "event/1/session/0", "/"]
)
def test_an_object_that_is_not_there_has_no_rights(run, name):
    assert f"there is no {name!r}" in run("right", "list", name, status=1)


def test_a_key_is_blocked_unblocked_and_revoked(run):
    key = facts(run("key", "create", "--user", "7"))["key"]
    run("key", "block", key)
    assert "is blocked" in run("key", "create", "--user", "7", status=1)
    assert as_json(run("key", "list", "--json"))[0]["blocked"] is True
    run("key", "unblock", "7")
    run("key", "persistent", "7", "yes")
    (shown,) = as_json(run("key", "list", "--json"))
    assert (shown["key"], shown["blocked"], shown["persistent"]) == (f"{key[:8]}...", False, True)
    run("key", "revoke", key)
    assert as_json(run("key", "list", "--json")) == []
    assert "there is no key" in run("key", "block", key, status=1)


def test_a_list_of_keys_shows_no_secrets(run):
    made = facts(run("key", "create", "--user", "7"))
    token = facts(run("token", "create", "--user", "7", "--name", "a", "--scope", "read:user"))
    shown = run("key", "list") + run("token", "list") + run("token", "list", "--json")
    assert made["key"] not in shown
    assert made["key"][:8] in shown
    assert made["secret"] not in shown
    assert token["token"] not in shown
    assert token["id"] in shown


def test_a_token_is_blocked_reset_and_revoked(run):
    scopes = ("--scopes", "read:legacy_api,read:user")
    made = facts(run("token", "create", "--user", "7", "--name", "App", *scopes))
    assert "'app' already" in run(
        "token", "create", "--user", "7", "--name", "app", *scopes, status=1
    )
    run("token", "block", made["id"])
    assert as_json(run("token", "list", "--json"))[0]["blocked"] is True
    run("token", "unblock", made["token"])
    other = facts(run("token", "reset", made["id"]))
    assert other["token"] != made["token"]
    assert "no such token" in run("token", "block", made["token"], status=1)
    run("token", "revoke", other["id"])
    (shown,) = as_json(run("token", "list", "--json"))
    assert shown["revoked"] is not None
    run("token", "create", "--user", "7", "--name", "app", *scopes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", "a", "--scope", "all"], "unknown scope 'all'; there are full:everything"),
        (["--name", " ", "--scope", "read:user"], "a token needs a name"),
    ],
)
def test_a_bad_token_is_not_made(run, options, message):
    assert message in run("token", "create", "--user", "7", *options, status=1)


def test_a_user_that_is_blocked_is_not_let_in(run, client):
    run("user", "create", "7", "--login", "ann")
    key = facts(run("key", "create", "--user", "7"))["key"]
    assert get(client, f"{PATH}?ak={key}&oa=yes")
    run("user", "block", "ann")
    assert client.get(f"{PATH}?ak={key}").json["message"] == "API key is blocked"
    run("user", "unblock", "7")
    assert get(client, f"{PATH}?ak={key}&oa=yes")
    assert as_json(run("user", "list", "--json"))[0]["login"] == "ann"
    assert "there is no user 'bob'" in run("user", "block", "bob", status=1)


def test_a_password_is_read_from_stdin(run, client, monkeypatch):
    run("user", "create", "7", "--login", "ann")
    monkeypatch.setattr("sys.stdin", io.StringIO("open sesame\n"))
    run("user", "password", "ann")
    sent = {"username": "ann", "password": "open sesame"}
    assert client.post("/api/login", data=sent).json["user"] == "7"
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "cannot be empty" in run("user", "password", "ann", status=1)
