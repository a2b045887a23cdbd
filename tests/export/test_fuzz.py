"""Requests made by chance, to every address there is: none is a fault of this side."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from export.auth.api_keys import key_ring
from export.auth.browser_sessions import COOKIE, csrf_token_of, sessions
from export.errors import UnknownResource
from export.people.user import users
from export.resources import BUILT_IN
from export.routing import CONVERTERS, PLACEHOLDER
from scheduler.store import transact
from tests.export.addresses import TABLE, all_paths
from tests.export.planting_secrets import MANAGER, let_in_everywhere, serving_secrets

REQUESTS = 100_000 if os.environ.get("SOAK") else 300

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
BOOKING = st.fixed_dictionaries(
    {},
    optional={
        "location": st.just("CERN") | VALUES,
        "roomid": st.just("120") | VALUES,
        "from": st.sampled_from(["2030-01-01T09:00", "today", "+5d"]) | VALUES,
        "to": st.sampled_from(["2030-01-01T10:00", "tomorrow", "+5d"]) | VALUES,
        "reason": VALUES,
        "username": st.just("other") | VALUES,
        "secret": VALUES,
        "is_paid": VALUES,
        "checked_in": VALUES,
    },
)
NUMBERS = st.integers() | st.integers(0, 99).map(str) | VALUES
SCHEDULE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("A schedule") | JSON,
        "room": st.just(120) | JSON,
        "start_at": st.integers(2_000_000_000, 2**40) | JSON,
        "duration": st.integers(1, 10**6) | JSON,
        "recurrence": JSON
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["daily", "weekly", "monthly", "none"])},
            optional={
                "weeks_range": NUMBERS | JSON,
                "range_type": st.sampled_from(["no", "after", "by"]) | JSON,
                "end_after": NUMBERS | JSON,
                "end_by": st.sampled_from(["04-30-2099", "02-29-2035", "0-0-0000"]) | JSON,
            },
        ),
        "template": JSON,
        "share": st.fixed_dictionaries({}, optional={"users": JSON, "user_groups": JSON}) | JSON,
    },
)
IDS = ("137346", "555", "556", "120", "CERN", "closed", "0", "1", "36024")
SEGMENTS = st.sampled_from(
    [
        *("0", "-1", "9" * 25, "a-b", ",", "%2e%2e", "..", " ", "\x00", "é", "9" * 5000, "1-1-1"),
        *("137346-555", "137346,556", "favorites", "all", "__class__", "%ff", "\r\n", "\u202e"),
    ]
)


def pattern_of(address):
    def part(found):
        choices = found["choices"]
        return (
            f"(?:{choices.replace(', ', '|')})" if choices else CONVERTERS[found["converter"]].regex
        )

    return PLACEHOLDER.sub(part, address.replace(".", "[.]"))


KNOWN = st.sampled_from(list(all_paths()))
PATHS = st.one_of(
    *[KNOWN] * 6,
    *[st.builds(str.replace, KNOWN, st.sampled_from(IDS), SEGMENTS)] * 2,
    st.sampled_from([address for each in BUILT_IN for address in each.addresses]).flatmap(
        lambda address: st.from_regex(pattern_of(address), fullmatch=True)
    ),
    st.text(max_size=30).map("/export/".__add__),
)
METHODS = st.sampled_from([None] * 16 + ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "X"])
"""What is asked with; None for what the address takes."""

STRANGE_HEADERS = st.fixed_dictionaries(
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
HEADERS = st.one_of(*[st.just({})] * 5, STRANGE_HEADERS)


def as_form(pairs):
    return {"data": MultiDict(encoded(pairs))}


def as_json(value):
    return {"data": json.dumps(value), "content_type": "application/json"}


def as_bytes(data):
    return {"data": data, "content_type": "application/json"}


BODIES = st.one_of(
    PAIRS.map(as_form),
    BOOKING.map(lambda form: as_form(form.items())),
    SCHEDULE.map(as_json),
    SCHEDULE.map(as_json),
    JSON.map(as_json),
    st.binary(max_size=40).map(as_bytes),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with serving_secrets(tmp_path_factory.mktemp("fuzz")) as app:
        yield app


@pytest.fixture(scope="module")
def credentials(app):
    """What opens everything, and what opens nothing: as parameters and as headers."""

    def make(connection):
        token = let_in_everywhere(connection)
        _, cookie = sessions(connection).begin(
            MANAGER, users(connection).find(MANAGER).password_stamp
        )
        session_headers = {"HTTP_COOKIE": f"{COOKIE}={cookie}"}
        csrf = ("csrftoken", csrf_token_of(cookie))
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


def environment(method, path, query, body, params):
    if isinstance(body["data"], MultiDict):
        body["data"].update(params)
    builder = EnvironBuilder("/", method=method, query_string=encoded(query), **body)
    return {
        **builder.get_environ(),
        "PATH_INFO": path.encode("utf-8", "replace").decode("latin-1"),
    }


def taken_by(path):
    try:
        return TABLE.find(path, "GET")[0].method
    except UnknownResource:
        return "GET"


def may_be_a_fault(path, content):
    """What the schedule API documents: a body that is no JSON is told with 500."""
    return path.startswith("/api/v3/schedule") and b"The body " in content


def assert_is_no_fault(app, path, environ):
    chunks, status, answered = run_wsgi_app(app, environ, buffered=True)
    content = b"".join(chunks)
    assert int(status[:3]) < 500 or may_be_a_fault(path, content), (status, content)
    assert b"Traceback" not in content
    assert not any("\n" in value or "\r" in value for value in answered.values())
    assert answered.get("X-Content-Type-Options") == "nosniff" or status.startswith("204")


def at_random(count):
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
@at_random(REQUESTS)
@given(
    method=METHODS,
    path=PATHS,
    query=PAIRS,
    body=BODIES,
    headers=HEADERS,
    shown=st.integers(0, 4),
)
def test_any_request_is_answered_with_something_better_than_a_fault(
    app, credentials, method, path, query, body, headers, shown
):
    params, opening = credentials[shown]
    environ = environment(method or taken_by(path), path, [*query, *params], body, params)
    assert_is_no_fault(app, path, {**environ, **opening, **headers})


WRITES = st.sampled_from([path for path in all_paths() if taken_by(path) == "POST"])


@pytest.mark.soak
@pytest.mark.timeout(7200)
@at_random(REQUESTS // 3)
@given(path=WRITES, query=PAIRS, body=BODIES)
def test_each_post_of_an_administrator_is_answered_with_something_better_than_a_fault(
    app, credentials, path, query, body
):
    _, opening = credentials[2]
    assert_is_no_fault(app, path, {**environment("POST", path, query, body, []), **opening})
