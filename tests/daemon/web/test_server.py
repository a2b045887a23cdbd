"""The front end.

Covers `daemon.service`, `daemon.web.server`.
"""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
import transaction

from daemon.config import Config, Web
from daemon.errors import DaemonException
from daemon.service import Service
from daemon.web.server import NoConsole, WebServer, front
from scheduler import Client
from scheduler.store import transact
from tests.waiting import DEADLINE


def export(environ, start):
    start("200 OK", [("Content-Length", "6")])
    return [b"export"]


@pytest.fixture
def serve():
    """Serve an application on a free port; return its address."""
    servers = []

    def start(application, **settings):
        servers.append(WebServer(application, Web(**{"port": 0, **settings})))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def test_addresses_other_than_the_front_ends_own_go_to_the_export(serve):
    url = serve(front(export, NoConsole("jinja2"), lambda: "", lambda: "numbers"))
    assert httpx.get(f"{url}/metrics").text == "numbers"
    assert httpx.get(f"{url}/export/event/1.json").text == "export"
    assert httpx.post(f"{url}/metrics").status_code == 405


def test_without_jinja_the_console_says_what_to_install(serve):
    answer = httpx.get(serve(front(export, NoConsole("jinja2"), str, str)))
    assert answer.status_code == 501
    assert "jinja2 is missing: install zodb-relay[console]" in answer.text


@pytest.mark.parametrize(("proxy", "scheme"), [("", "http"), ("127.0.0.1", "https")])
def test_only_a_trusted_proxy_is_believed_how_a_request_came(serve, proxy, scheme):
    def tell(environ, start):
        body = environ["wsgi.url_scheme"].encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    url = serve(tell, trusted_proxy=proxy)
    assert httpx.get(url, headers={"X-Forwarded-Proto": "https"}).text == scheme


def test_health_tells_what_is_wrong(serve):
    url = serve(front(export, NoConsole("jinja2"), lambda: "the scheduler is not running", str))
    answer = httpx.get(f"{url}/health")
    assert (answer.status_code, answer.text) == (503, "the scheduler is not running\n")


def test_metrics_that_cannot_be_shown_are_answered_without_a_traceback(serve, caplog):
    def fail():
        raise OSError("no database")

    answer = httpx.get(serve(front(export, NoConsole("jinja2"), str, fail)) + "/metrics")
    assert (answer.status_code, answer.text.split(";")[0]) == (503, "This cannot be shown now")
    assert "no database" in caplog.text


@pytest.mark.parametrize(
    "path", ["..%2fpyproject.toml", "%2fetc%2fpasswd", "nothing.md", "py.typed"]
)
def test_only_documents_are_given_out(serve, path):
    url = serve(front(export, NoConsole("jinja2"), lambda: "", lambda: "numbers"))
    assert httpx.get(f"{url}/docs/{path}").status_code == 404


def test_when_no_port_is_free_the_range_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(DaemonException, match="65535"):
            WebServer(export, Web(port=65535))


def test_a_shutdown_by_a_client_ends_the_service(tmp_path):
    config = Config.of(
        {
            "database": f"file://{tmp_path}/data.fs",
            "web": {"port": 0},
            "scheduler": {"multitask_mode": "threads"},
        }
    )
    stop = threading.Event()
    with Service(config, stop) as service:
        assert service.health() == ""
        transact(service.database, lambda connection: Client(connection).shutdown("enough"))
        assert stop.wait(DEADLINE)
        assert service.failure is None
    transaction.abort()


@pytest.mark.parametrize("sizes", [(10, 10), (0, 10), (100_000, 10), (10, 100_000)])
def test_an_answer_in_parts_is_sent_as_it_is(serve, sizes):
    def tell(environ, start):
        start("200 OK", [("Content-Length", str(sum(sizes)))])
        return (b"x" * size for size in sizes)

    assert len(httpx.get(serve(tell)).content) == sum(sizes)
