"""The wheel: what is in it, and an environment into which it alone is installed."""

import email
import os
import re
import subprocess
import sys
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest

from scheduler.values.extras import EXTRAS
from tests.places import ROOT

PACKAGES = ("scheduler", "livesync", "export", "daemon")
LEFT_OUT = {"zodb_relay.py"}
BARE = {"lxml", "icalendar", "werkzeug", "jinja2", "psycopg2"}
USE = """
import transaction
from scheduler import Client
from scheduler.store import connect
with connect() as connection:
    Client(connection).call(len, "abc")
    transaction.commit()
"""

WAIT = USE.replace("Client(connection).call", "call = Client(connection).call") + (
    "    print(Client(connection).waitFor(call, 100))\n"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def packed(wheel):
    return set(ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def metadata(wheel):
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_it_has_every_module(packed):
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert {str(file.relative_to(ROOT)) for file in files} | {"zodb_relay.py"} <= packed


def test_it_has_the_documents_the_examples_and_the_marks_of_types(packed):
    documents = {f"daemon/{file.relative_to(ROOT)}" for file in (ROOT / "docs").rglob("*.*")}
    examples = {f"daemon/etc/{file.name}" for file in (ROOT / "etc").iterdir() if file.is_file()}
    wanted = documents | examples - {f"daemon/etc/{name}" for name in LEFT_OUT}
    assert {name for name in wanted if "__pycache__" not in name} <= packed
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed


def test_the_index_shows_links_that_lead_somewhere(metadata):
    links = re.findall(r"\]\(([^)\s]+)\)", metadata.get_payload())
    assert len(links) > 20
    assert [link for link in links if not re.match("https?://|#", link)] == []


def test_the_index_shows_the_picture_itself(metadata):
    (picture,) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", metadata.get_payload())
    assert re.fullmatch(r"https://.*/raw/main/docs/console\.png", picture)


def test_it_names_its_addresses_and_extras(metadata):
    named = {line.partition(",")[0] for line in metadata.get_all("Project-URL")}
    assert {"Documentation", "Source", "Issues", "Changelog"} <= named
    addresses = [line.partition(", ")[2] for line in metadata.get_all("Project-URL")]
    unit = (ROOT / "etc" / "relay.service").read_text()
    addresses += re.findall(r"^Documentation=(.*)$", unit, re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+/(?:blob|raw)/main/[^)\s]+)\)", metadata.get_payload())
    assert len({urlsplit(each).netloc for each in (*addresses, *links)}) == 1
    assert {"export", "console", "postgres", "all"} <= set(metadata.get_all("Provides-Extra"))


@pytest.mark.skipif(not os.environ.get("SOAK"), reason="installs from the index: set SOAK")
def test_it_runs_tasks_in_an_environment_without_extras(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "own")], check=True)
    programs = tmp_path / "own" / "bin"

    def run(*command):
        done = subprocess.run(
            [str(programs / command[0]), *command[1:]],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert run("pip", "install", "-q", str(wheel))[0] == 0
    installed = run("pip", "list", "--format=freeze")[1].lower()
    assert [name for name in BARE if f"{name}==" in installed] == []
    assert run("python", "-c", USE)[0] == 0
    status, output, problem = run("indico_export", "import", "event.json")
    assert (status, output) == (1, "")
    assert re.fullmatch(r"indico_export: \w+ is missing: install zodb-relay\[export\]\n", problem)
    started, lines, problem = run("indico_scheduler", "start", "--config", _quiet(tmp_path))
    assert started == 0, problem
    try:
        assert "http://127.0.0.1:" in lines
        assert run("indico_scheduler", "show", "status")[0] == 0
    finally:
        assert run("indico_scheduler", "stop")[0] == 0


@pytest.mark.skipif(not os.environ.get("SOAK"), reason="installs from the index: set SOAK")
@pytest.mark.parametrize("extra", EXTRAS)
def test_a_daemon_runs_tasks_with_each_extra_alone(wheel, tmp_path, extra):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "own")], check=True)
    programs = tmp_path / "own" / "bin"

    def run(*command):
        return subprocess.run(
            [str(programs / command[0]), *command[1:]],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    run("pip", "install", "-q", f"{wheel}[{extra}]")
    run("pip", "check")
    run("python", "-c", f"import {', '.join(EXTRAS[extra])}")
    mode = "dask" if extra == "dask" else "processes"
    (tmp_path / "relay.toml").write_text(f'[web]\nport = 0\n[scheduler]\nmultitask_mode = "{mode}"')
    run("indico_scheduler", "start", "--config", "relay.toml")
    try:
        assert run("python", "-c", WAIT) == "3\n"
    finally:
        run("indico_scheduler", "stop")


def _quiet(folder):
    (folder / "relay.toml").write_text("[web]\nport = 0\n")
    return "relay.toml"
