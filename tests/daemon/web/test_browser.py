"""The status page in a real browser, where there is one."""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import signal
import subprocess
import threading

import pytest

from daemon.config import Web
from daemon.service import plant
from daemon.web.dashboard import Dashboard, Panel
from daemon.web.server import WebServer, front
from scheduler import Client, nowutc
from scheduler.store import transact
from scheduler.tasks import SampleOneShotTask

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


@pytest.fixture
def browse(tmp_path):
    """What starts a browser of its own at an address, with nothing but the page to show."""
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path}/profile", "--enable-logging=stderr"]
    started = []

    def start(*words):
        process = subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def serve(database):
    """What serves the page of a database, made by a function; and every address asked for."""
    transact(database, plant)
    servers = []

    def start(page):
        asked = []

        def export(environ, start_response):
            asked.append(environ["PATH_INFO"])
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]

        application = front(export, page, lambda: "", lambda: "")
        servers.append(WebServer(application, Web(port=0)))
        return servers[-1].url, asked

    yield start
    for server in servers:
        server.close()


def test_the_page_is_shown_as_it_is_meant_and_asks_for_nothing_else(database, serve, browse):
    transact(database, lambda found: Client(found).enqueue(SampleOneShotTask(nowutc())))
    panel = Panel("Evil <i>", ("<u>",), lambda: [("<script>document.title = 'taken'</script>",)])
    url, asked = serve(Dashboard(database, [panel]).page)
    shown, log = browse("--dump-dom", url).communicate(timeout=200)
    assert "<title>zodb-relay</title>" in shown
    assert html.escape("<script>document.title = 'taken'</script>", quote=False) in shown
    for heading in ("Daemon", "Queues", "Next tasks", "Last finished", "Failed", "Agents"):
        assert f"<h2>{heading}</h2>" in shown
    assert asked == []
    assert "Refused to" not in log
    assert "violates" not in log


def test_the_page_stays_up_to_date_by_itself(database, serve, browse):
    again = threading.Event()
    shown = []

    def page():
        shown.append(nowutc())
        if len(shown) > 1:
            again.set()
        return Dashboard(database).page()

    url, _ = serve(page)
    browse("--remote-debugging-port=0", url)
    assert again.wait(60)
