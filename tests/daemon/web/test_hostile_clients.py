"""The front end among clients that are slow, greedy or wrong.

Covers `daemon.web.accepting`, `daemon.web.bad_request`, `daemon.web.client_limits`,
`daemon.web.request_threads`.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack

import httpx
import pytest
import ZODB

from daemon.config import Web
from daemon.web.server import NoConsole, WebServer, front
from export.app import make_app
from scheduler.store import transact
from tests.export.planting import plant

PATH = "/export/event/137346.json"
MEGABYTE = 1024 * 1024
THREADS = 2


@pytest.fixture(scope="module")
def port():
    """The port of a front end with two threads and the event of reference 5.3.2."""
    database = ZODB.DB(None)
    transact(database, plant)
    app = make_app(database)
    server = WebServer(
        front(app, NoConsole("jinja2"), lambda: "", lambda: "numbers"), Web(port=0, threads=THREADS)
    )
    yield server.port
    server.close()
    app.close()
    database.close()


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.settimeout(30)
    return client


def say(port, data):
    """Send *data* as it is; return the status and the body of the answer."""
    with connect(port) as client:
        client.sendall(data)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), body


def ask(port, target=PATH, *headers, method="GET", body=b""):
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return say(port, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{PATH}?x={'x' * MEGABYTE}", 414),
        (f"/export/event/{'-'.join(map(str, range(10_000)))}.json", 400),
        ("/export/event/../../../etc/passwd", 404),
        ("/export/event/%2e%2e%2f%2e%2e%2fetc%2fpasswd.json", 404),
        ("/docs/../pyproject.toml", 404),
        ("/docs/%2e%2e/%2e%2e/etc/passwd.md", 404),
        ("/docs/..%2fREADME.md", 404),
        (f"{PATH}?jsonp=%0d%0aX-Bad:1", 200),
        ("/export/event/137346.jsonp?jsonp=%0d%0aX-Bad:1", 400),
        ("/export/event/%ff%fe.json", 404),
        ("//export/event/137346.json", 200),
        ("http://elsewhere/export/event/137346.json", 200),
        ("*", 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_strange_address_is_answered(port, target, status):
    answered, head, body = ask(port, target)
    assert answered == status, body[:200]
    assert "X-Bad" not in head
    assert b"Traceback" not in body
    if target.startswith("/export/"):
        assert json.loads(body)["_type"] in ("HTTPAPIError", "HTTPAPIResult")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nBad Header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\nConnection: close\r\n\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"GET /export/event/\xff\xfe.json HTTP/1.1\r\nConnection: close\r\n\r\n",
    ],
    ids=["tls", "word", "header", "length", "chunk", "bytes"],
)
def test_bytes_that_are_no_http_are_refused(port, data):
    status, head, body = say(port, data)
    assert 400 <= status < 500
    assert json.loads(body)["_type"] == "HTTPAPIError"
    assert "nosniff" in head


def test_head_tells_the_length_and_sends_nothing(port):
    status, head, body = ask(port, method="HEAD")
    assert (status, body) == (200, b"")
    assert "Content-Length" in head
    assert ask(port, "/", method="HEAD")[2] == b""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "BREW"])
@pytest.mark.parametrize("target", ["/", "/health", PATH])
def test_other_methods_are_refused_and_the_right_ones_told(port, method, target):
    status, head, _ = ask(port, target, method=method)
    assert status == 405
    assert "Allow: GET, HEAD" in head


@pytest.mark.parametrize("size", [MEGABYTE + 1, 3 * MEGABYTE])
def test_a_large_body_is_refused(port, size):
    answer = httpx.post(
        f"http://127.0.0.1:{port}/api/login",
        content=b"x" * size,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413


def test_slow_clients_keep_nobody_waiting(port):
    with ExitStack() as stack:
        for _ in range(THREADS * 10):
            client = stack.enter_context(connect(port))
            client.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert ask(port)[0] == 200


def test_clients_that_go_away_or_do_not_read_keep_nobody_waiting(port):
    request = f"GET {PATH}?detail=sessions HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with ExitStack() as stack:
        for number in range(THREADS * 5):
            client = stack.enter_context(connect(port))
            client.sendall(request * 50)
            if number % 2:
                client.close()
        assert ask(port)[0] == 200


def test_many_clients_at_a_time_are_all_answered(port):
    statuses = []

    def be_a_client():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=200) as client:
            statuses.extend(client.get(PATH).status_code for _ in range(10))

    clients = [threading.Thread(target=be_a_client) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert statuses == [200] * 80


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", "Content-Length: 4\r\nTransfer-Encoding: chunked"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 4"),
        ("1.0", "Transfer-Encoding: chunked"),
        ("1.0", "Content-Length: 4\r\nTransfer-Encoding: chunked"),
        ("1.1", "transfer-encoding: chunked\r\ncontent-length: 0"),
        ("1.1", "Content-Length: 4\r\nContent-Length: 5"),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ],
)
def test_a_body_whose_end_is_told_in_two_ways_is_refused(port, version, headers):
    data = f"POST /api/login HTTP/{version}\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n"
    status, head, body = say(port, data.encode())
    assert status == 400
    assert json.loads(body)["_type"] == "HTTPAPIError"
    assert "Connection: close" in head


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".md", "%0a" * 100 + "forged.md", "%00.md", "%ff.md", "x" * 5000 + ".md"]
)
def test_a_document_with_a_strange_name_is_not_there(port, name, caplog):
    assert ask(port, f"/docs/{name}")[0] == 404
    assert caplog.records == []


def serve_patiently(stack, **settings):
    server = WebServer(
        front(make_app("memory://strange"), NoConsole("jinja2"), lambda: "", lambda: "numbers"),
        Web(port=0, threads=THREADS, **settings),
    )
    stack.callback(server.close)
    return server.port


def is_closed(client):
    client.settimeout(60)
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("setting", "beginning"),
    [
        ("header_seconds", b"GET /health HTTP/1.1\r\nX: "),
        ("body_seconds", b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"),
        ("body_seconds", b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
    ],
)
def test_a_request_that_drips_is_given_up(setting, beginning):
    with ExitStack() as stack:
        client = stack.enter_context(connect(serve_patiently(stack, **{setting: 0.5})))
        client.sendall(beginning)
        stop = threading.Event()

        def drip():
            while not stop.wait(0.05):
                try:
                    client.sendall(b"1")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert is_closed(client)
        finally:
            stop.set()
            dripping.join()


def test_dripping_connections_do_not_shut_others_out():
    with ExitStack() as stack:
        port = serve_patiently(stack, connections=20)
        for number in range(150):
            client = stack.enter_context(connect(port))
            client.sendall(b"GET / HTTP/1.1\r\nX: " if number % 2 else b"")
        assert ask(port, "/health")[0] == 200
