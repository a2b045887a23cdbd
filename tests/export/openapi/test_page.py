"""The documentation page in a real browser, where there is one."""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import signal
import subprocess

import pytest

from daemon.config import Web
from daemon.web.server import WebServer
from export.app import make_app
from scheduler.store import transact
from tests.export.planting import plant

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_a_form_of_the_page_shows_what_the_server_answers(database, tmp_path):
    transact(database, plant)
    server = WebServer(make_app(database), Web(port=0))
    try:
        address = f"{server.url}/export/docs#events?idlist=137346&format=json"
        shown, log = browse(address, tmp_path)
    finally:
        server.close()
    text = html.unescape(shown)
    assert "200 application/json" in text
    assert '"title": "Export Test"' in text
    assert "Content Security Policy" not in log


def browse(address, folder):
    """Return the page at *address* as it is when its script has run, and the browser's log."""
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={folder}/profile", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=5000", "--dump-dom", address]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=90)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
