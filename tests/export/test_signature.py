"""What is signed is what is read, and what the clients of several languages sign is understood."""

from __future__ import annotations

import hmac
import json
import os
import shutil
import subprocess
from urllib.parse import parse_qsl, quote, urlencode

import pytest
import ZODB
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.model.access import Protection
from export.signature import build_indico_request, canonical, sign, signed_query
from scheduler.clock import nowutc
from scheduler.store import transact
from tests.export.planting import change, error, get, plant

PATH = "/export/event/137346.json"
KEY, SECRET = "a-key", "a-secret"
SETTINGS = {"api_mode": "SIGNED", "persistent_signatures": True}


@pytest.fixture(scope="module")
def client():
    """A client of the event that Ann alone may see."""
    database = ZODB.DB(None)
    transact(database, plant)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("ann"))
    transact(
        database,
        lambda connection: key_ring(connection).create("ann", True, KEY, SECRET).key,
    )
    yield Client(make_app(database, SETTINGS))
    database.close()


def answer(client, address):
    """The answer, without the moment at which it was given."""
    told = client.get(address)
    shown = told.json or {}
    shown.pop("ts", None)
    return told.status_code, shown


def signed(params, encode=urlencode, path=PATH, **options):
    text = f"{path}?{encode(params, **options)}"
    return f"{text}&signature={sign(SECRET, text)}"


NAMES = st.sampled_from(
    [
        *("onlypublic", "op", "detail", "d", "limit", "n", "offset", "O", "o", "order", "T", "t"),
        *("tz", "from", "f", "descending", "c", "pretty", "jsonp", "x", "ca", "cookieauth", "oa"),
    ]
)
VALUES = st.sampled_from(
    [
        "",
        "yes",
        "no",
        "1",
        "0",
        "events",
        "contributions",
        "Europe/Zurich",
        "a b",
        "~*'()",
        "é",
        "%41",
    ]
)
PARAMS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
ENCODERS = st.sampled_from(
    [urlencode, lambda pairs: urlencode(pairs, quote_via=quote, safe="!*'()")]
)


@st.composite
def changes(draw, address):
    """Return *address*, changed in ways that may leave its signature good."""
    path, _, query = address.partition("?")
    parts = query.split("&")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(parts) - 1))
        name, sign_, value = parts[place].partition("=")
        kind = draw(st.sampled_from(range(9)))
        if kind == 0:
            parts = draw(st.permutations(parts))
        elif kind == 1:
            parts[place] = f"{name.swapcase()}{sign_}{value}"
        elif kind == 2:
            parts.insert(place, f"{name}=")
        elif kind == 3:
            parts.insert(place, f"{draw(NAMES)}={draw(st.sampled_from(['', '+', '%20']))}")
        elif kind == 4:
            parts.insert(place, parts[draw(st.integers(0, len(parts) - 1))])
        elif kind == 5:
            parts[place] = parts[place].replace("+", "%20").replace("%7E", "~")
        elif kind == 6:
            parts[place] = "".join(f"%{byte:02x}" for byte in name.encode()) + sign_ + value
        elif kind == 7:
            parts.insert(place, f"{draw(NAMES)}={quote(draw(VALUES))}")
        else:
            path = draw(
                st.sampled_from(
                    [path, path.replace("/", "%2F"), path.replace("e", "%65"), f"/{path}",
                     path.replace("e", "%2565"), f"{path}%3F{parts[0]}"]
                )
            )  # fmt: skip
    return f"{path}?{'&'.join(parts)}"


REFUSALS = (
    "Signature invalid",
    "Signature missing",
    "API key is missing",
    "Nothing is exported",
    "Unknown format",
)


@settings(
    max_examples=10_000 if "SOAK" in os.environ else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(params=PARAMS, encode=ENCODERS, data=st.data())
def test_no_change_that_keeps_the_signature_good_changes_the_answer(client, params, encode, data):
    address = signed([*params, ("ak", KEY)], encode)
    original = answer(client, address)
    changed = data.draw(changes(address))
    names = {name.lower() for name, _ in parse_qsl(changed.partition("?")[2])}
    assume({"ak", "signature"} <= names)
    status, told = answer(client, changed)
    is_same = (status, told) == original
    event("answered the same" if is_same else "refused")
    if not is_same:
        assert told["message"].startswith(REFUSALS)


@pytest.mark.parametrize(
    "change",
    [
        lambda query: f"onlypublic=&{query}",
        lambda query: query.replace("onlypublic=yes", "ONLYPUBLIC=yes"),
        lambda query: query.replace("onlypublic=yes", "onlypublic=yes&onlypublic=no"),
        lambda query: f"op=&onlypublic=&{query}&op=",
        lambda query: query.replace("onlypublic", "%6fnlypublic"),
        lambda query: query.replace("onlypublic", "OnlyPublic"),
    ],
)
def test_a_signed_request_for_what_is_public_stays_one(client, change):
    address = build_indico_request(PATH, {}, KEY, SECRET, only_public=True)
    path, _, query = address.partition("?")
    told = client.get(f"{path}?{change(query)}").json
    assert not told.get("results")


def test_a_signed_time_cannot_be_hidden_by_an_empty_one(client):
    old = build_indico_request(PATH, {"timestamp": 1400000000}, KEY, SECRET, persistent=True)
    path, _, query = old.partition("?")
    for more in ("timestamp=&", "TIMESTAMP=&", ""):
        assert error(client, f"{path}?{more}{query}") == (403, "Signature invalid (bad timestamp)")
    hidden = query.replace("timestamp", "Timestamp")
    assert error(client, f"{path}?{hidden}") == (403, "Signature invalid (bad timestamp)")


def test_an_offset_that_was_signed_is_not_taken_for_an_order(client):
    address = signed([("ak", KEY), ("O", "1")])
    assert get(client, address) == []
    assert error(client, address.replace("O=1", "o=1"))[0] == 403
    lowered = signed([("ak", KEY), ("o", "1")])
    assert error(client, lowered.replace("o=1", "O=1"))[0] == 403


def test_a_name_signed_in_lower_case_is_read_in_lower_case(client):
    query = f"ak={KEY}&Detail=contributions"
    address = f"{PATH}?{query}&signature={sign(SECRET, canonical(PATH, query))}"
    assert "contributions" in get(client, address)[0]


def test_a_path_is_decoded_once(client):
    assert client.get("/export/event/137346%2ejson").status_code == 200
    assert client.get("/export/event/137346%252ejson").status_code == 404
    assert client.post("/api/%6cogin").status_code == 403
    assert client.post("/api/%256cogin").status_code == 404


def test_a_signed_path_is_no_other_path():
    text = "/export/event/search/a%20b.json?ak=1"
    read = signed_query("/export/event/search/a b.json", text.partition("?")[0], "ak=1", SECRET,
                        sign(SECRET, text))  # fmt: skip
    assert read == "ak=1"
    other = "/export/event/search/a%20b.json"  # sent as a%2520b
    assert signed_query(other, quote(other), "ak=1", SECRET, sign(SECRET, text)) is None
    hidden = "/export/event/search/a.json?x=1.json"
    assert (
        signed_query(hidden, quote(hidden), "ak=1", SECRET, sign(SECRET, f"{hidden}?ak=1")) is None
    )


def test_a_failed_signature_says_what_is_signed_and_how_it_is_encoded(client):
    query = f"tz=Europe/Zurich&ak={KEY}&title=a%20b"
    status, message = error(client, f"{PATH}?{query}&signature=bad")
    assert status == 403
    assert f"sign '{PATH}?ak=...&title=a+b&tz=Europe%2FZurich'" in message
    assert "UTF-8" in message
    assert "%XX" in message
    assert KEY not in message


def test_the_key_is_not_repeated_in_the_address_of_an_answer(client):
    for address in (signed([("ak", KEY)]), signed([("apikey", KEY), ("pretty", "yes")])):
        told = client.get(address)
        assert KEY not in told.text
        assert "=..." in told.json["url"]


VALUE = "a b+c&d=é~*'()!\"<>`@:/?[]{}|^,;$"
SORTED = {"ak": KEY, "from": "2011-06-01T00:00", "title": VALUE, "tz": "Europe/Zurich"}
NODE = {
    "URLSearchParams": "const q = new URLSearchParams(params).toString();",
    "encodeURIComponent": """const q = Object.entries(params)
        .map(([n, v]) => encodeURIComponent(n) + '=' + encodeURIComponent(v)).join('&');""",
    "querystring": "const q = require('querystring').stringify(params);",
    "unsorted": """const q = Object.entries(params).reverse()
        .map(([n, v]) => n + '=' + encodeURIComponent(v)).join('&');""",
}
PHP = {
    "RFC 1738": "$q = http_build_query($params);",
    "RFC 3986": "$q = http_build_query($params, '', '&', PHP_QUERY_RFC3986);",
}


def output(*command):
    if not shutil.which(command[0]):
        pytest.skip(f"there is no {command[0]}")
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=200
    ).stdout.strip()


@pytest.mark.parametrize("code", NODE.values(), ids=NODE.keys())
def test_requests_signed_by_javascript_are_understood(client, code):
    address = output(
        "node",
        "-e",
        f"""const [path, params, secret] = JSON.parse(process.argv[1]); {code}
        const s = require('crypto').createHmac('sha1', secret).update(path + '?' + q).digest('hex');
        console.log(new URL('http://localhost' + path + '?' + q + '&signature=' + s).href);""",
        json.dumps([PATH, SORTED, SECRET]),
    )
    assert get(client, address.removeprefix("http://localhost"))


@pytest.mark.parametrize("code", PHP.values(), ids=PHP.keys())
def test_requests_signed_by_php_are_understood(client, code):
    address = output(
        "php",
        "-r",
        f"""[$path, $params, $secret] = json_decode($argv[1], true); {code}
        echo "$path?$q&signature=" . hash_hmac('sha1', "$path?$q", $secret);""",
        json.dumps([PATH, SORTED, SECRET]),
    )
    assert get(client, address)


def test_requests_signed_by_openssl_are_understood(client):
    text = f"{PATH}?ak={KEY}&title=a%20b%C3%A9%c3%a9"
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    told = subprocess.run(
        ["openssl", "dgst", "-sha1", "-hmac", SECRET],
        input=text.encode(),
        capture_output=True,
        check=True,
        timeout=200,
    ).stdout.decode()
    assert get(client, f"{text}&signature={told.split()[-1]}")


def test_a_post_is_read_as_it_was_signed(client):
    text = f"/api/roomBooking/bookRoom.json?ak={KEY}&timestamp={int(nowutc().timestamp())}"
    query = text.partition("?")[2]
    good = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
    form = {"content_type": "application/x-www-form-urlencoded"}
    address = "/api/roomBooking/bookRoom.json"
    told = client.post(address, data=f"{query}&signature={good}", **form).json
    assert "Argument(s) missing" in told["message"]
    told = client.post(address, data=f"{query}&reason=x&signature={good}", **form).json
    assert told["message"].startswith("Signature invalid: sign")
