"""Several processes of the front end on one port.

Covers `daemon.process.kept_process`, `daemon.web.further_process`, `daemon.web.passing_on`.
"""

from __future__ import annotations

import os
import signal
import socket
import threading

import httpx
import psutil
import pytest

from daemon.config import Config, Web
from daemon.process.web_process import WebProcess
from daemon.service import Service
from daemon.web.server import NoConsole, WebServer, front
from export.model.catalogue import catalogue
from export.settings import ExportSettings
from scheduler.runtime.application import Application
from scheduler.store import open_database, transact
from tests.export.planting import plant
from tests.waiting import wait_for

EVENT = "/export/event/137346.json"


def answers(url):
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def told(environ, start):
    """Answer what the daemon's own process was asked."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "REMOTE_ADDR")
    text = "|".join([*(environ[name] for name in names), body])
    start("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [text.encode()]


@pytest.fixture(scope="module")
def further(tmp_path_factory):
    """The address of a further process, which alone accepts; and its database."""
    folder = tmp_path_factory.mktemp("web")
    database = open_database(f"file://{folder}/data.fs")
    transact(database, plant)
    inside, listening = socket.socket(socket.AF_UNIX), socket.socket()
    inside.bind(str(folder / "in"))
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    daemon = WebServer(
        front(told, NoConsole("jinja2"), lambda: "it is ill", lambda: "numbers 1\n"),
        Web(trusted_proxy="*"),
        listening=inside,
    )
    process = WebProcess(
        *(database.uri, listening, str(folder / "in"), Web(), ExportSettings(), Application())
    )
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    wait_for(lambda: answers(f"{url}{EVENT}"), what="the further process")
    yield url, database
    process.close()
    daemon.close()
    listening.close()
    database.close()


def test_it_answers_for_the_export_what_is_committed(further):
    url, database = further
    transact(database, lambda connection: catalogue(connection).event("137346").setTitle("Other"))
    wait_for(
        lambda: httpx.get(f"{url}{EVENT}").json()["results"][0]["title"] == "Other",
        what="the change",
    )
    etag = httpx.get(f"{url}{EVENT}").headers["ETag"]
    assert httpx.get(f"{url}{EVENT}", headers={"If-None-Match": etag}).status_code == 304


def test_health_metrics_and_the_console_are_those_of_the_daemon(further):
    url, _ = further
    health = httpx.get(f"{url}/health")
    assert (health.status_code, health.text) == (503, "it is ill\n")
    assert httpx.get(f"{url}/metrics").text == "numbers 1\n"
    assert httpx.head(f"{url}/metrics").text == ""
    assert httpx.get(f"{url}/").status_code == 501


def test_what_writes_is_done_by_the_daemon_for_who_asked(further):
    url, _ = further
    answer = httpx.post(f"{url}/api/x%20y?q=%C3%A4", content="body", headers={"Host": "a.example"})
    assert answer.text == "POST|/api/x y|q=%C3%A4|a.example|127.0.0.1|body"
    assert answer.headers.get_list("Set-Cookie") == ["a=1", "b=2"]


def children():
    """Return the processes of the front end beside this one."""
    found = []
    for child in psutil.Process(os.getpid()).children():
        try:
            if "daemon.web.further_process" in child.cmdline():
                found.append(child)
        except psutil.Error:  # it has just ended
            continue
    return found


def test_the_daemon_keeps_them_alive_and_ends_them(tmp_path):
    others = children()
    config = Config.of(
        {"database": f"file://{tmp_path}/data.fs", "web": {"port": 0, "processes": 2}}
    )

    def own():
        return [child for child in children() if child not in others]

    with Service(config, threading.Event()) as service:
        url = service.web.url
        (first,) = own()
        first.send_signal(signal.SIGKILL)
        wait_for(lambda: own() not in ([], [first]), what="another process")
        (second,) = own()
        wait_for(lambda: second.net_connections("tcp"), what="its socket")
        for _ in range(20):  # whichever process accepts
            assert httpx.get(f"{url}/health").text == "ok\n"
            assert "relay_" in httpx.get(f"{url}/metrics").text
            assert httpx.get(f"{url}/export/categ/0.json").status_code == 200
    assert own() == []
