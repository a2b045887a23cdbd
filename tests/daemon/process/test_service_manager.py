"""The service manager hears of the start, the life and the end of the daemon.

Covers `daemon.web.probes`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import httpx
import pytest

from daemon.process.service_manager import ServiceManager
from daemon.web.probes import Probes
from tests.daemon.conftest import environment
from tests.places import ROOT
from tests.waiting import DEADLINE, wait_for

ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def manager(tmp_path):
    """A socket as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(DEADLINE)
        yield found


def heard(manager):
    return manager.recv(1000).decode().splitlines()


def is_silent(manager):
    try:
        return not heard(manager)
    except TimeoutError:
        return True


def told(monkeypatch, manager, seconds, pid=None):
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", str(int(seconds * 1e6)))
    monkeypatch.setenv("WATCHDOG_PID", str(pid or os.getpid()))
    return ServiceManager()


def test_a_daemon_tells_of_its_start_its_life_and_its_end(manager, tmp_path):
    (tmp_path / "relay.toml").write_text("[web]\nport = 0\n")
    command = ["start", "--standalone", "--config", "relay.toml"]
    with (tmp_path / "log").open("w") as out:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "daemon.cli.main", *command],
            cwd=tmp_path,
            env={
                **environment(tmp_path),
                "NOTIFY_SOCKET": manager.getsockname(),
                "WATCHDOG_USEC": "200000",
            },
            stderr=out,
        )
    try:
        assert heard(manager) == ["READY=1", f"MAINPID={daemon.pid}"]
        assert heard(manager) == ["WATCHDOG=1"]
        line = wait_for(lambda: "the front end is at " in (tmp_path / "log").read_text())
        assert line
        url = (tmp_path / "log").read_text().split("the front end is at ")[1].split()[0]
        found = {
            path: httpx.get(f"{url}/health{path}", timeout=DEADLINE).status_code
            for path in ("", "/live", "/ready", "/ready/leader", "/ready/standby", "/ready/web")
        }
        assert found.pop("/ready/standby") == 503
        assert set(found.values()) == {200}
        daemon.send_signal(signal.SIGTERM)
        wait_for(lambda: heard(manager) == ["STOPPING=1"], what="the end")
        assert daemon.wait(DEADLINE) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_a_loop_that_stands_still_does_not_feed_the_watchdog(monkeypatch, manager):
    stands_still, asked = threading.Event(), threading.Event()

    def standstill():
        asked.set()
        return "it stands still" if stands_still.is_set() else ""

    with told(monkeypatch, manager, 0.02).told(standstill):
        assert heard(manager)[0] == "READY=1"
        assert heard(manager) == ["WATCHDOG=1"]
        stands_still.set()
        asked.clear()
        assert asked.wait(DEADLINE)
        manager.settimeout(0.2)
        wait_for(lambda: is_silent(manager), what="the silence")
        manager.settimeout(DEADLINE)
    assert heard(manager) == ["STOPPING=1"]


def test_programs_of_tasks_do_not_inherit_the_manager(monkeypatch, manager):
    told(monkeypatch, manager, 1)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


def test_the_watchdog_of_another_process_is_not_fed(monkeypatch, manager):
    with told(monkeypatch, manager, 0.02, pid=1).told(str):
        assert heard(manager)[0] == "READY=1"
    assert heard(manager) == ["STOPPING=1"]


def test_without_a_manager_nothing_is_told():
    with ServiceManager().told(str):
        pass


def test_a_manager_that_is_gone_is_a_line_of_the_log(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with ServiceManager().told(str):
        pass
    assert "cannot tell its manager READY=1" in caplog.text


@pytest.mark.parametrize("leads", [True, False])
def test_leader_and_standby_are_ready_apart(leads):
    probes = Probes(str, str, str, lambda: leads).by_path()
    answers = {path.rpartition("/")[2]: probe() for path, probe in probes.items()}
    assert answers["live"] == answers["ready"] == answers["web"] == ""
    assert (answers["leader"] == "", answers["standby"] == "") == (leads, not leads)


def test_no_restart_is_asked_for_while_the_database_does_not_answer():
    def still():
        return "the scheduler has been at one step for 40 s"

    assert Probes(still, str, str, bool).live() == still()
    assert Probes(still, str, lambda: "it is away", bool).live() == ""


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is missing: apt install systemd")
def test_the_unit_is_hardened():
    command = [ANALYZE, "security", "--offline=yes", "--threshold=30", "etc/relay.service"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_and_the_image_start_the_daemon_as_a_user_of_its_own():
    unit = (ROOT / "etc/relay.service").read_text()
    assert {"Type=notify", "User=relay", "StateDirectory=relay"} <= set(unit.splitlines())
    steps = [
        line.split(maxsplit=1)
        for line in (ROOT / "Containerfile").read_text().replace("\\\n", "").splitlines()
        if line and not line.startswith("#")
    ]
    last = steps[[name for name, _ in steps].index("FROM", 1) :]
    found = dict(last)
    assert found["USER"] == "relay"
    assert found["VOLUME"] == found["WORKDIR"] == "/var/lib/relay"
    assert found["ENTRYPOINT"] == '["indico_scheduler"]'
    assert found["CMD"] == '["start", "--standalone"]'
    assert "RELAY_WEB__HOST=0.0.0.0" in found["ENV"]
    assert "/health/live" in found["HEALTHCHECK"]
    extras = tomllib.loads(Path(ROOT / "pyproject.toml").read_text())["project"]
    for extra in ("export", "console", "postgres"):
        assert extra in extras["optional-dependencies"]
        assert extra in (ROOT / "Containerfile").read_text()
