"""Pages of other sites may ask where a setting says so, and nowhere else."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.errors import ExportConfigurationException

SITE = "https://www.example.org"
PATH = "/export/event/1.json"
PREFLIGHT = {"Origin": SITE, "Access-Control-Request-Method": "GET"}
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture
def serve(database):
    return lambda *origins: Client(make_app(database, {"cors_origins": list(origins)}))


def test_no_site_may_ask_unless_it_is_set(serve):
    for client in (serve(), serve("https://another.example.org")):
        for answer in (client.get(PATH, headers={"Origin": SITE}), client.options(PATH)):
            assert ALLOWED not in answer.headers


def test_a_site_that_is_set_may_ask_and_read(serve):
    answer = serve(SITE, "https://b.example").get(PATH, headers={"Origin": SITE})
    assert answer.headers[ALLOWED] == SITE
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    assert "Authorization" in answer.headers["Vary"]


def test_errors_and_confirmations_are_read_too(serve):
    client = serve(SITE)
    etag = client.get(PATH).headers["ETag"]
    known = client.get(PATH, headers={"Origin": SITE, "If-None-Match": etag})
    wrong = client.get(f"{PATH}?limit=x", headers={"Origin": SITE})
    assert [(one.status_code, one.headers[ALLOWED]) for one in (known, wrong)] == [
        (304, SITE),
        (400, SITE),
    ]


def test_a_browser_that_asks_first_is_told_methods_and_headers(serve):
    answer = serve(SITE).options(PATH, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_every_site_may_ask_where_that_is_set(serve):
    answer = serve("*").get(PATH, headers={"Origin": "null"})
    assert answer.headers[ALLOWED] == "*"
    assert "Origin" not in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "ftp://x", 1, ""])
def test_an_origin_that_is_no_site_is_refused(database, origin):
    with pytest.raises(ExportConfigurationException, match="cors_origins"):
        make_app(database, {"cors_origins": [origin]})
