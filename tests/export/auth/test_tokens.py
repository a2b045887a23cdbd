"""Bearer tokens and their scopes (reference, API Token Authentication; RFC 6750).

Covers `export.resources.me`.
"""

from __future__ import annotations

import re

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.auth.tokens import SCOPES, tokens
from export.errors import CatalogueException
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.registration import RegistrationForm
from export.people.user import Avatar, users
from scheduler.store import transact
from tests.export.planting import change, plant

PATH = "/export/event/137346.json"
ME = "/api/user/"


@pytest.fixture
def closed(database):
    """The planted event, open to Ann alone, who is 7."""
    transact(database, plant)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("7"))
    transact(
        database,
        lambda connection: users(connection).add(Avatar("7", "Ann", "Bell", "ann@example.org")),
    )
    return database


@pytest.fixture
def make(closed):
    def create(*scopes, name="app"):
        return transact(closed, lambda connection: tokens(connection).create("7", name, scopes)[1])

    return create


@pytest.fixture
def client(closed):
    return Client(make_app(closed, {"api_mode": "ALL_SIGNED"}))


def ask(client, token, address=PATH, scheme="Bearer", **more):
    return client.get(address, headers={"Authorization": f"{scheme} {token}"}, **more)


def test_a_token_has_the_documented_form_and_only_its_digest_is_kept(make, closed):
    text = make("read:user")
    assert re.fullmatch(r"indp_[A-Za-z0-9]{42}", text)
    assert text not in repr(dump(closed))
    assert text.removeprefix("indp_") not in repr(dump(closed))


def dump(database):
    return [record.data for each in database.storage.iterator() for record in each]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_acts_as_its_user_whatever_the_mode_of_keys(client, make, scheme):
    answer = ask(client, make("read:legacy_api"), scheme=scheme)
    assert len(answer.json["results"]) == 1


@pytest.mark.parametrize("scope", sorted(set(SCOPES) - {"read:legacy_api"}))
def test_no_other_scope_opens_the_export(client, make, scope):
    answer = ask(client, make(scope))
    assert answer.status_code == 403
    assert answer.json["error"] == "insufficient_scope"
    assert answer.json["_type"] == "HTTPAPIError"
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", error_description="The request requires higher '
        'privileges than provided by the access token.", scope="read:legacy_api"'
    )


def test_a_program_that_checks_people_in_needs_no_other_scope(client, make, closed):
    def register(event):
        event.grant_modification("7")
        event.registration = RegistrationForm(payment=True)
        return event.registration.register({"surname": "Guest"})

    change(closed, register)
    token = make("registrants")
    listed = ask(client, token, "/export/event/137346/registrants.json")
    (guest,) = listed.json["results"]["registrants"]
    answer = client.post(
        "/api/event/137346/registrant/0/checkin.json",
        headers={"Authorization": f"Bearer {token}"},
        data={"secret": guest["checkin_secret"], "checked_in": "yes"},
    )
    assert answer.json["results"]["checked_in"] is True


@pytest.mark.parametrize("token", ["indp_" + "x" * 42, "x", "", "a b", "\xff", "x" * 10_000])
@pytest.mark.parametrize("address", [PATH, ME, PATH.replace(".json", ".xml")])
def test_an_unknown_token_is_refused_and_not_taken_for_nobody(client, token, address):
    answer = ask(client, token, address)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert "invalid_token" in answer.text


def test_a_blocked_and_a_revoked_token_and_one_that_was_reset_open_nothing(client, make, closed):
    texts = [make("read:legacy_api", name=name) for name in ("a", "b", "c")]

    def spoil(connection):
        found = tokens(connection)
        found.find(texts[0]).blocked = True
        found.revoke(found.find(texts[1]))
        return found.reset(found.find(texts[2]))

    renewed = transact(closed, spoil)
    assert [ask(client, text).status_code for text in texts] == [401, 401, 401]
    assert ask(client, renewed).status_code == 200


def test_the_token_of_a_blocked_user_opens_nothing(client, make, closed):
    token = make("read:legacy_api")
    transact(closed, lambda connection: setattr(users(connection).find("7"), "blocked", True))
    assert ask(client, token).status_code == 401


def test_a_removed_user_leaves_nothing_that_opens_and_nobody_takes_their_id(client, make, closed):
    token = make("read:legacy_api")
    key = transact(closed, lambda connection: key_ring(connection).create("7").key)

    def remove(connection):
        found = users(connection)
        found.remove(found.find("7"))
        with pytest.raises(CatalogueException, match="already"):
            found.add(Avatar("7"))

    transact(closed, remove)
    assert ask(client, token).status_code == 401
    assert client.get(f"{PATH}?ak={key}").status_code == 403


def test_a_token_counts_before_a_key_and_a_wrong_one_is_not_replaced_by_a_key(client, make, closed):
    key = transact(closed, lambda connection: key_ring(connection).create("7").key)
    right = make("read:legacy_api")
    assert ask(client, right, f"{PATH}?ak=nobodys&signature=bad").status_code == 200
    assert ask(Client(make_app(closed)), "wrong", f"{PATH}?ak={key}").status_code == 401
    assert ask(client, right, f"{PATH}?onlypublic=yes").json["results"] == []
    assert ask(client, right, f"{PATH}?op=yes&oa=yes").status_code == 403


@pytest.mark.parametrize("path", [PATH, "/api/user/", "/api/session", "/api/v3/schedule/1"])
@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Bearer:", "YW5uOmFubg=="])
def test_another_kind_of_authorization_is_refused_and_not_answered_as_nobody(client, path, scheme):
    answer = ask(client, "YW5uOmFubg==", path, scheme=scheme)
    assert answer.status_code == 401
    assert "is not understood: send a Bearer token" in answer.text
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("written", ["{}", "Token\t{}", "{} Bearer", "Bearer:{}", "Bearer={} x"])
def test_a_refused_authorization_does_not_repeat_the_token(client, make, written):
    token = make("read:user")
    headers = {"Authorization": written.format(token)}
    answer = client.get("/api/user/", headers=headers)
    assert answer.status_code == 401
    assert token[5:20] not in answer.text + str(answer.headers)


@pytest.mark.parametrize("between", [" ", "   ", "\t"])
def test_any_blank_parts_the_kind_of_authorization_from_the_token(client, make, between):
    headers = {"Authorization": f"Bearer{between}{make('read:user')}"}
    assert client.get("/api/user/", headers=headers).status_code == 200


def test_a_token_needs_a_secure_connection_where_that_is_required(closed, make):
    client, token = Client(make_app(closed, {"https_required": True})), make("read:legacy_api")
    assert ask(client, token).json["message"] == "HTTPS is required"
    assert ask(client, token, base_url="https://localhost").status_code == 200


@pytest.mark.parametrize("scope", ["read:user", "read:everything", "full:everything"])
@pytest.mark.parametrize("address", [ME, ME.rstrip("/")])
def test_callers_are_told_who_they_are(client, make, scope, address):
    assert ask(client, make(scope), address).json == {
        "id": 7,
        "email": "ann@example.org",
        "first_name": "Ann",
        "last_name": "Bell",
        "admin": False,
    }


def test_a_manager_of_the_root_is_an_administrator(client, make, closed):
    transact(closed, lambda connection: catalogue(connection).root.grant_modification("7"))
    assert ask(client, make("read:user"), ME).json["admin"] is True


def test_nobody_is_told_to_be_nobody(client):
    assert client.get(ME).json is None


@pytest.mark.parametrize("scope", ["read:legacy_api", "write:legacy_api", "registrants"])
def test_other_scopes_do_not_tell_who_the_caller_is(client, make, scope):
    answer = ask(client, make(scope), ME)
    assert answer.status_code == 403
    assert answer.json == {
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the "
        "access token.",
    }
