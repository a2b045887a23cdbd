"""Behind a real nginx, with the site that is shipped."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from contextlib import suppress

import httpx
import pytest
import ZODB

from daemon.config import Web
from daemon.web.server import NoConsole, WebServer, front
from export.app import make_app
from export.auth.login_throttle import ADDRESS
from export.people.user import Avatar, users
from scheduler.store import transact
from tests.places import ROOT
from tests.ports import free_port
from tests.waiting import wait_for

SITE = ROOT / "etc" / "nginx.conf"
MAIN = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@pytest.fixture
def backend(monkeypatch):
    """The port of a front end where Ann can log in."""

    def add(connection):
        ann = Avatar("7", login="ann")
        ann.set_password("open sesame")
        users(connection).add(ann)

    monkeypatch.setattr("export.auth.token_buckets.monotonic", lambda: 0.0)
    monkeypatch.setattr("werkzeug.security.check_password_hash", lambda kept, text: text == "right")
    database = ZODB.DB(None)
    transact(database, add)
    app = make_app(database)
    server = WebServer(
        front(app, NoConsole("jinja2"), lambda: "", lambda: "numbers"),
        Web(port=0, trusted_proxy="127.0.0.1"),
    )
    yield server.port
    server.close()
    app.close()
    database.close()


@pytest.fixture
def site(backend, tmp_path):
    """The address of the site that is shipped, without TLS, before that front end."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if nginx is None:
        pytest.skip("there is no nginx")
    port = free_port()
    text = re.sub(r"\n\s*(ssl_certificate|limit_req|access_log).*", "", SITE.read_text())
    text = text.replace("443 ssl", f"0.0.0.0:{port}").replace(":8080", f":{backend}")
    config = tmp_path / "nginx.conf"
    config.write_text(MAIN.format(folder=tmp_path, site=text))
    with subprocess.Popen([nginx, "-c", str(config), "-e", f"{tmp_path}/error.log"]) as process:
        try:
            wait_for(lambda: answers(port) or process.poll() is not None, what="nginx")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answers(port):
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def log_in(site, address, name="ann", word="wrong", path="/api/login"):
    """Try to log in from an address of this machine."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
        return client.post(f"{site}{path}", data={"username": name, "password": word})


@pytest.mark.parametrize(
    "path", ["/api/%256cogin", "/api/%25%36%63ogin", "/api/log%252569n", "/api%252flogin"]
)
def test_no_address_goes_round_the_rules_of_the_proxy(site, path):
    assert log_in(site, "127.0.0.1", word="right", path=path).status_code in (403, 404)
    assert "Set-Cookie" not in log_in(site, "127.0.0.1", word="right", path=path).headers
    assert log_in(site, "127.0.0.1", word="right", path="/api/%6cogin").status_code == 200


def test_guesses_are_slowed_per_address_behind_a_proxy(site):
    for number in range(ADDRESS.burst):
        assert log_in(site, "127.0.0.2", f"user{number}").status_code == 403
    assert log_in(site, "127.0.0.2", "one more").status_code == 429
    assert log_in(site, "127.0.0.3", "ann", "right").status_code == 200
