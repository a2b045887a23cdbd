"""The list of processes, which every user of the machine may see, has no password."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.postgres import database
from tests.waiting import wait_for

PASSWORD = "Pa55-that-nobody-sees"
CONFIG = """
[web]
port = 0
processes = 2
[livesync]
push = true
"""
ROLES = (
    "daemon.cli.main start",
    "scheduler.worker.process",
    "daemon.web.further_process",
    "livesync.cli.main",
    "daemon.cli.main db copy",
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextmanager
def watched():
    """Look at all command lines all the time; yield those that there were."""
    seen, is_over = set(), threading.Event()

    def look():
        while not is_over.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:  # it has just ended
                    continue
            is_over.wait(0.01)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


@pytest.fixture
def addresses(postgres_server):
    """The addresses of two databases, with a password in each."""
    with database(postgres_server) as first, database(postgres_server) as second:
        yield [each.replace("postgres:@", f"postgres:{PASSWORD}@") for each in (first, second)]


@pytest.mark.parametrize("variable", ["RELAY_DATABASE", "SCHEDULER_DATABASE_FILE"])
def test_a_password_given_by_file_or_environment_is_in_no_command_line(
    variable, addresses, tmp_path, command, monkeypatch
):
    source, target = addresses
    (tmp_path / "source").write_text(source)
    (tmp_path / "target").write_text(target)
    (tmp_path / "relay.toml").write_text(CONFIG)
    monkeypatch.setenv(variable, str(tmp_path / "source") if "FILE" in variable else source)
    monkeypatch.setenv("TARGET", target)
    config = ("--config", "relay.toml")
    with watched() as seen:
        started = command("start", *config)
        assert started.returncode == 0, started.stderr
        url = started.stdout.split()[1]
        try:
            wait_for(
                lambda: all(any(role in line for line in seen) for role in ROLES[:4]),
                what="all processes",
            )
            told = [httpx.get(f"{url}{path}").text for path in ("/", "/database", "/metrics")]
            looking = (("show", "status"), ("db", "info"), ("config", "show"))
            told += [command(*words, *config).stdout for words in looking]
            assert command("restart", *config).returncode == 0
        finally:
            stopped = command("stop", *config)
        assert stopped.returncode == 0, stopped.stderr
        for end in ("@target", "@env:TARGET"):
            copied = command("db", "copy", "@source", end, "--resume")
            assert copied.returncode == 0, copied.stderr
            told += [copied.stdout, copied.stderr]
    assert [role for role in ROLES if not any(role in line for line in seen)] == []
    assert [line for line in seen if PASSWORD in line] == []
    told += [file.read_text() for file in tmp_path.glob("var/*.log*")]
    assert [text for text in told if PASSWORD in text] == []
