"""The clients that the reference documents, and plain ones, at a real server."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from icalendar import Calendar
from werkzeug.serving import make_server

from export.app import make_app
from export.auth.api_keys import key_ring
from export.auth.tokens import tokens
from export.model.access import Protection
from export.signature import build_indico_request
from scheduler.store import transact
from tests.export.planting import change, plant
from tests.serving import serving

DOCUMENTED = Path(__file__).parent / "documented"
PATH = "/export/event/137346.json"
QUERIES = [
    {},
    {"detail": "contributions", "limit": "7"},
    {"O": "0", "pretty": "yes", "tz": "Europe/Zurich"},
    {"from": "2011-06-01T00:00", "title": "a b+c&d=é~*"},
]


def in_python(path, params, key, secret, persistent):
    module = runpy.run_path(str(DOCUMENTED / "sign.py.txt"))
    return module["build_indico_request"](path, params, key, secret, persistent=persistent)


def in_php(path, params, key, secret, persistent):
    if not shutil.which("php"):
        pytest.skip("there is no php")
    asked = json.dumps([path, params, key, secret, False, persistent])
    included = (DOCUMENTED / "sign.php").read_text().replace("if(true)", "if(false)")
    code = f"{included}\necho build_indico_request(...json_decode($argv[1], true));"
    return subprocess.run(
        ["php", "-r", code.removeprefix("<?php"), asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    ).stdout


def in_this_package(path, params, key, secret, persistent):
    return build_indico_request(path, params, key, secret, persistent=persistent)


@pytest.fixture
def key(database):
    """The key of the only user who may see the event."""
    transact(database, plant)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("ann"))
    return transact(database, lambda connection: _shown(key_ring(connection).create("ann", True)))


def _shown(made):
    return made.key, made.secret


@pytest.fixture
def url(database, key):
    """The address of a server that takes nothing but signed requests, and tokens."""
    app = make_app(database, {"api_mode": "ALL_SIGNED", "persistent_signatures": True})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
    app.close()


@pytest.mark.parametrize("sign", [in_python, in_php, in_this_package])
@pytest.mark.parametrize("persistent", [False, True], ids=["for a while", "for ever"])
def test_requests_signed_by_the_documented_functions_are_answered(url, key, sign, persistent):
    for query in QUERIES:
        signed = sign(PATH, query, *key, persistent)
        assert ("timestamp" in parse_qs(urlsplit(signed).query)) != persistent
        answer = httpx.get(url + signed)
        assert answer.status_code == 200, answer.text
        assert [event["id"] for event in answer.json()["results"]] == ["137346"]


@pytest.mark.parametrize("sign", [in_python, in_php])
def test_the_documented_functions_and_ours_sign_alike(key, sign):
    ours = in_this_package(PATH, {"detail": "events", "limit": "12"}, *key, True)
    assert sign(PATH, {"limit": "12", "detail": "events"}, *key, True) == ours


def test_a_signed_feed_is_followed_as_long_as_the_key_lives(url, key, database):
    feed = url + build_indico_request("/export/categ/2.ics", {}, *key, persistent=True)
    (event,) = Calendar.from_ical(httpx.get(feed).content).walk("VEVENT")
    assert event["SUMMARY"] == "Export Test"
    change(database, lambda event: event.setTitle("Moved"))
    (event,) = Calendar.from_ical(httpx.get(feed).content).walk("VEVENT")
    assert event["SUMMARY"] == "Moved"

    def forbid(connection):
        key_ring(connection).of("ann").persistent_allowed = False

    transact(database, forbid)
    assert httpx.get(feed).json()["message"] == "Signature invalid (no timestamp)"
    transact(database, lambda connection: key_ring(connection).create("ann", True).key)
    refused = httpx.get(feed)
    assert (refused.status_code, refused.json()["message"]) == (403, "Invalid API key")


@pytest.fixture
def token(url, database):
    return transact(
        database,
        lambda connection: tokens(connection).create("ann", "app", ["read:legacy_api"])[1],
    )


def test_a_token_is_all_that_a_plain_client_sends(url, token):
    answer = httpx.get(url + PATH, headers={"Authorization": f"Bearer {token}"})
    assert [event["id"] for event in answer.json()["results"]] == ["137346"]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_shows_a_token(url, token):
    def ask(*options):
        command = ["curl", "--silent", "--include", *options, url + PATH]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=200
        ).stdout

    assert '"id": "137346"' in ask("--oauth2-bearer", token)
    refused = ask("--oauth2-bearer", token[:-1] + "!")
    assert refused.startswith("HTTP/1.1 401")
    assert 'WWW-Authenticate: Bearer error="invalid_token"' in refused
