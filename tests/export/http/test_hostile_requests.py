"""Requests that nobody in their right mind sends: each is answered, with an error of its own.

Covers `export.http.request`, `export.http.masking`.
"""

from __future__ import annotations

import io
from urllib.parse import parse_qs

import pytest
import ZODB
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from export.app import make_app
from export.signature import build_indico_request
from scheduler.store import transact
from tests.export.planting import change, error, key_of_ann, plant

PATH = "/export/event/137346.json"
A_MEGABYTE = 1024 * 1024


def status(client, address, **more):
    answer = client.get(address, **more)
    body = answer.json
    assert body["_type"] == ("HTTPAPIResult" if answer.status_code == 200 else "HTTPAPIError")
    assert "Traceback" not in answer.text
    return answer.status_code


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("x=" + "x" * A_MEGABYTE, 414),
        ("&".join(["a=b"] * 200_000), 414),
        ("ak=" + "k" * 5000, 403),
        ("ak=%ff%fe", 403),
        ("ak=%00", 403),
        ("ak=x&signature=%ff", 403),
        ("detail=%ff", 400),
        ("tz=%ff", 400),
        ("tz=%00", 400),
        ("tz=../../../etc/passwd", 400),
        ("tz=/etc/passwd", 400),
        ("tz=Europe", 400),
        ("tz=" + "A/" * 2000, 400),
        ("from=%F0%9F%92%A9", 400),
        ("from=-999999999d", 400),
        ("from=9999999999-01-01", 400),
        ("from=٣d", 400),
        ("n=-5", 200),
        ("n=99999999999999999999999999999", 400),
        ("n=" + "9" * 5000, 400),
        ("offset=-99999999999999999", 400),
        ("offset=999999999999999", 200),
        ("n=1e3", 400),
        ("n=0x10", 400),
        ("n=%D9%A3", 400),
        ("timestamp=" + "9" * 30, 400),
        ("&&&===&%", 200),
        ("%", 200),
        ("pretty=%00", 200),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_strange_query_is_answered(planted, query, expected):
    assert status(planted, f"{PATH}?{query}") == expected


@pytest.mark.parametrize(
    "path",
    [
        "/export/event/../../etc/passwd.json",
        "/export/event/..%2f..%2fetc%2fpasswd.json",
        "/export/event/%252e%252e%252fpasswd.json",
        "/export/event/137346.json%00",
        "/export/event/%ff.json",
        "/export/event/.json",
        "/export/event/-.json",
        "/export/event/137346-.json",
        "/export/event/137346",
        "/export/event/137346.",
        "/export/event/137346.__init__",
        "/export//event/137346.json",
        "/export/event/137346.json/",
        "/export/",
        "/export",
        "/" + "a/" * 5000,
    ],
    ids=lambda path: path[:40],
)
def test_a_strange_path_is_not_found(planted, path):
    assert status(planted, path) == 404


@pytest.mark.parametrize("separator", ["-", ","])
@pytest.mark.parametrize("kind", ["event", "categ", "timetable", "reservation", "room/CERN"])
def test_very_many_ids_are_refused(planted, kind, separator):
    ids = separator.join(str(number) for number in range(10_000))
    assert error(planted, f"/export/{kind}/{ids}.json") == (
        400,
        "You can only request up to 1000 ids per request",
    )


def test_many_ids_are_answered(planted):
    ids = "-".join(str(number) for number in range(1000))
    assert status(planted, f"/export/event/{ids}.json") == 200
    assert status(planted, f"/export/event/{'9' * 5000}.json") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_methods_that_write_are_refused(planted, method):
    answer = planted.open(PATH, method=method, data=b"\xff" * 1000)
    assert answer.status_code == 405
    assert answer.json["_type"] == "HTTPAPIError"


def test_the_methods_of_an_address_can_be_asked_for(planted):
    answer = planted.options(PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Content-Type" not in answer.headers


def test_head_has_no_body(planted):
    answer = planted.head(PATH)
    assert (answer.status_code, answer.data) == (200, b"")


def test_a_fault_on_this_side_is_told_without_its_traceback(planted, database, caplog):
    change(database, lambda event: setattr(event, "timezone", "Nowhere/At_all"))

    assert error(planted, f"{PATH}?occ=yes") == (500, "Internal error; the log tells more")
    assert "Nowhere/At_all" in caplog.text
    assert "Nowhere" not in planted.get(f"{PATH}?occ=yes").text


@pytest.mark.parametrize("name", ["signature", "SIGNATURE", "%73ignature"])
def test_neither_signature_nor_key_is_repeated_in_the_address_that_an_answer_tells(
    planted, database, name
):
    key, secret = transact(database, key_of_ann)
    signed = build_indico_request(PATH, {"tz": "UTC"}, key, secret)
    time = parse_qs(signed)["timestamp"][0]
    answer = planted.get(signed.replace("signature", name))
    told = f"https://indico.server{PATH}?apikey=...&timestamp={time}&tz=UTC"
    assert answer.json["url"] == told


def test_a_signature_without_its_key_is_not_repeated_either(planted):
    answer = planted.get(f"{PATH}?pretty=yes&SIGNATURE=abc&%73ignature=def")
    assert answer.json["url"] == f"https://indico.server{PATH}?pretty=yes"


@pytest.fixture(scope="module")
def app():
    database = ZODB.DB(None)
    transact(database, plant)
    yield make_app(database)
    database.close()


@settings(max_examples=300, deadline=None)
@given(path=st.binary(max_size=40), query=st.binary(max_size=60))
def test_any_bytes_are_answered_with_something_better_than_a_fault(app, path, query):
    environ = EnvironBuilder("/export/event/137346.json").get_environ()
    environ["PATH_INFO"] = "/export/event/137346" + path.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    environ["wsgi.errors"] = io.StringIO()
    body, code, _ = run_wsgi_app(app, environ)
    b"".join(body)
    assert code.split()[0] in {"200", "400", "401", "403", "404"}


PARAMETERS = st.sampled_from(
    [
        *("n", "limit", "O", "offset", "o", "order", "c", "descending", "d", "detail", "tz"),
        *("f", "from", "t", "to", "day", "occ", "p", "ak", "signature", "timestamp", "op", "oa"),
    ]
)
VALUES = st.text(max_size=12) | st.sampled_from(["yes", "sessions", "1", "-1", "today", "-7d"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(PARAMETERS, VALUES), max_size=5))
def test_any_values_of_the_parameters_are_answered_with_something_better_than_a_fault(app, pairs):
    answer = Client(app).get(PATH, query_string=[*pairs])
    assert answer.status_code in {200, 400, 403}
