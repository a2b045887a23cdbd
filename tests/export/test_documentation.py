"""What docs/export.md and docs/authentication.md show, done as their reader would.

Covers `export.settings`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from export.auth.tokens import SCOPES
from export.categories import Categories
from export.resources import BUILT_IN
from export.settings import ApiMode, ExportSettings
from tests.ports import free_port
from tests.waiting import wait_for

DOCS = Path(__file__).parents[2] / "docs"
EXPORT = (DOCS / "export.md").read_text()
AUTHENTICATION = (DOCS / "authentication.md").read_text()
SMALL = Path(__file__).with_name("small_event.json")
SCRIPTS = Path(sys.executable).parent


def blocks(language, document):
    return re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)


@pytest.fixture
def do(tmp_path):
    """Run a command in a folder with the document's files; return what it prints."""
    shutil.copy(SMALL, tmp_path / "event.json")
    for code in blocks("python", EXPORT + AUTHENTICATION):
        name = re.match(r"# (\w+\.py)\n", code).group(1)
        (tmp_path / name).write_text(code)
    environment = {
        **os.environ,
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        "SCHEDULER_DATABASE": f"file://{tmp_path}/data.fs",
    }

    def do(command):
        done = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return do


@pytest.fixture
def server(do, tmp_path):
    """Serve as the document shows, on a free port; give the address."""
    port = free_port()
    command = [sys.executable, "serve.py", f"file://{tmp_path}/data.fs", str(port)]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        try:
            wait_for(lambda: answers(port) or process.poll() is not None, what="the server")
            assert process.poll() is None
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answers(port):
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def test_the_documents_can_be_followed_from_import_to_signed_request(do, server):
    (load,), (imported,) = blocks("sh", EXPORT), blocks("text", EXPORT)
    rights, fill_group, make_token, make_key, make_feed = blocks("sh", AUTHENTICATION)
    granted, filled, by_token, by_key, _, by_session = blocks("text", AUTHENTICATION)

    assert do(load) == imported
    assert do(rights) == granted
    assert do(fill_group) == filled
    token, _ = re.findall(r"\w+ (\S+)", do(make_token))
    assert do(f"python script.py {server} {token}") == by_token
    key, secret = re.findall(r"\w+ (\S+)", do(make_key))
    assert do(f"python ask.py {server} {key} {secret}") == by_key
    do("echo 'open sesame' | indico_export user password ann")
    assert do(f"python browse.py {server}") == by_session
    address = do(make_feed).split()[1].removeprefix("https://indico.example.org")
    assert "Spring School" in httpx.get(server + address).text


def test_the_document_names_every_setting_with_its_default_and_every_mode():
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", EXPORT, re.MULTILINE))
    for field in fields(ExportSettings):
        shown = field.default.name if isinstance(field.default, ApiMode) else field.default
        assert rows[field.name].replace('"', "'") == repr(shown)
    modes = re.findall(r"^\| (\d) \| `(\w+)` \|", AUTHENTICATION, re.MULTILINE)
    assert [(int(number), name) for number, name in modes] == [
        (mode.value, mode.name) for mode in ApiMode
    ]


def test_the_document_names_every_scope():
    scopes = re.findall(r"^\| `([\w:]+)` \| \S", AUTHENTICATION, re.MULTILINE)
    assert sorted(scopes) == sorted(SCOPES)


def test_every_address_stands_in_the_document_with_its_formats():
    rows = re.findall(r"^\| `(.*/.*)` \| ([a-z ]+) \|", EXPORT, re.MULTILINE)
    told = {
        (what.partition("/")[0], frozenset(formats.split()))
        for cell, formats in rows
        for what in cell.split("`, `")
    }
    wanted = {
        (found[1], frozenset(each.formats))
        for each in (*BUILT_IN, *Categories().resources)
        if (found := re.match(r"/export/(\w+)/", each.addresses[0]))
    }
    assert wanted == told
