"""Requests made by chance, to every address there is: none is a fault of this side."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from export.app import make_app
from export.keys import key_ring
from export.resources import ROUTES
from export.sessions import COOKIE, sessions
from export.tokens import SCOPES, tokens
from scheduler.store import open_database, transact
from tests.export.planting_secrets import MANAGER, plant_secrets

REQUESTS = 100_000 if os.environ.get("SOAK") else 400

NAMES = st.sampled_from(
    [
        *("n", "limit", "O", "offset", "o", "order", "c", "descending", "d", "detail", "tz"),
        *("f", "from", "t", "to", "day", "occ", "p", "pretty", "jsonp", "l", "location", "r"),
        *("room", "T", "type", "uid", "userid", "cxl", "rej", "arch", "confirmed", "avc", "pub"),
        *("signature", "timestamp", "op", "oa", "ca", "cookieauth", "csrftoken", "access_token"),
        *("roomid", "reason", "username", "password", "is_paid", "secret", "checked_in"),
        *("start_at", "duration", "name", "recurrence", "template", "share"),
    ]
)
NASTY = st.sampled_from(
    [
        *("", "0", "-1", "1", "137346", "9" * 30, "1e9", "0x10", "NaN", "None", "null", "true"),
        *("yes", "no", "today", "-7d", "+9999d", "2011-06-24", "2011-06-24T09:30", "9999-12-31"),
        *("0001-01-01", "Europe/Zurich", "../../etc/passwd", "\x00", "\r\nX-Bad: 1", "<b>&\"'"),
        *("events", "contributions", "subcontributions", "sessions", "reservations", "full"),
        *("CERN", "120", "other", "a" * 3000, "*" * 200, "\ud83d", "é\u202e", "${jndi:x}", "%00"),
        *("id", "start", "end", "title", "alert(1)", "f.g", "{}", "[]", "' OR 1=1 --"),
    ]
)
VALUES = NASTY | st.text(max_size=12)
PAIRS = st.lists(st.tuples(NAMES | st.text(max_size=6), VALUES), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
PATHS = st.one_of(
    *(st.from_regex(route.pattern, fullmatch=True) for route in ROUTES),
    st.sampled_from(
        [
            *("/export/event/137346-555.ics", "/export/timetable/137346.xml"),
            *("/export/categ/0-2-3.atom", "/export/categ/favorites.html"),
            *("/export/event/137346/registrant/0.xml", "/export/room/CERN/120.json"),
            *("/export/event/137346/material/closed/0.bin", "/export/reservation/CERN.ics"),
            *("/api/roomBooking/bookRoom.json", "/api/event/137346/registrant/0/pay.xml"),
        ]
    ),
    st.builds(lambda path, tail: path + tail, st.just("/export/"), st.text(max_size=30)),
)
METHODS = st.sampled_from(["GET"] * 6 + ["POST"] * 6 + ["HEAD", "OPTIONS", "PUT", "DELETE", "X"])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_AUTHORIZATION": st.sampled_from(["Bearer x", "Bearer", "Basic eA==", "\xff"]),
        "HTTP_COOKIE": st.sampled_from([f"{COOKIE}=x", "=", ";;;", "\xff=\x00", "a" * 5000]),
        "HTTP_X_CSRF_TOKEN": st.text(st.characters(max_codepoint=255), max_size=9),
        "HTTP_RANGE": st.sampled_from(["bytes=0-0", "bytes=9-1", "bytes=-0", "x=1", "bytes=0-,1-"]),
        "HTTP_IF_MODIFIED_SINCE": st.sampled_from(["x", "Mon, 99 Jan 0000 00:00:00 GMT"]),
        "HTTP_HOST": st.sampled_from(["a b", "[::1", "x:99999999", "\r\n"]),
        "CONTENT_LENGTH": st.sampled_from(["-1", "x", "0", "99999999999"]),
    },
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    database = open_database(f"file://{tmp_path_factory.mktemp('fuzz')}/data.fs")
    transact(database, plant_secrets)
    app = make_app(database)
    yield app
    app.close()
    database.close()


@pytest.fixture(scope="module")
def credentials(app):
    """What opens everything: as parameters and as headers."""

    def make(connection):
        token = tokens(connection).create(MANAGER, "all", SCOPES)[1]
        session, cookie = sessions(connection).begin(MANAGER)
        session_headers = {"HTTP_COOKIE": f"{COOKIE}={cookie}"}
        csrf = ("csrftoken", session.csrf_token)
        return [
            ([], {}),
            ([("ak", key_ring(connection).create(MANAGER).key)], {}),
            ([], {"HTTP_AUTHORIZATION": f"Bearer {token}"}),
            ([("access_token", token)], {}),
            ([("cookieauth", "yes"), csrf], session_headers),
        ]

    return transact(app.database, make)


def encoded(pairs):
    return [(name, value.encode("utf-8", "replace").decode()) for name, value in pairs]


def environment(method, path, query, **body):
    builder = EnvironBuilder("/", method=method, query_string=encoded(query), **body)
    return {
        **builder.get_environ(),
        "PATH_INFO": path.encode("utf-8", "replace").decode("latin-1"),
    }


def as_form(pairs):
    return {"data": MultiDict(encoded(pairs))}


def as_json(value):
    return {"data": json.dumps(value), "content_type": "application/json"}


def as_bytes(data):
    return {"data": data, "content_type": "application/json"}


@pytest.mark.timeout(3600)
@settings(
    max_examples=REQUESTS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    method=METHODS,
    path=PATHS,
    query=PAIRS,
    body=PAIRS.map(as_form) | JSON.map(as_json) | st.binary(max_size=40).map(as_bytes),
    headers=HEADERS,
    shown=st.integers(0, 4),
)
def test_any_request_is_answered_with_something_better_than_a_fault(
    app, credentials, method, path, query, body, headers, shown
):
    params, opening = credentials[shown]
    if isinstance(body["data"], MultiDict):
        body["data"].update(params)
    environ = environment(method, path, [*query, *params], **body)
    chunks, status, answered = run_wsgi_app(app, {**environ, **headers, **opening}, buffered=True)
    content = b"".join(chunks)
    assert int(status[:3]) < 500, (status, content)
    assert b"Traceback" not in content
    assert not any("\n" in value or "\r" in value for value in answered.values())
    assert answered.get("X-Content-Type-Options") == "nosniff" or status.startswith("204")
