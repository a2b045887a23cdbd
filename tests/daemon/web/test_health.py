"""/health says ok only where the daemon can do its work, and why not, quickly."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from scheduler.store import connect
from tests import full_disk
from tests.faults.processes import Daemon, serving
from tests.waiting import wait_for

# A database that does not answer is waited for two seconds.
QUICKLY = 10
WORKERS = 2
PATHS = ("/health", "/", "/metrics")


@contextmanager
def daemon_of(folder, uri, environment=None):
    with closing(Daemon(folder, uri, environment=environment, sleep_interval=1)) as daemon:
        daemon.wait_until_up()
        yield daemon


def get(daemon, path="/health"):
    url = daemon.text().split("the front end is at ")[-1].split()[0]
    return httpx.get(url + path, timeout=QUICKLY)


def until_ok(daemon):
    wait_for(lambda: get(daemon).status_code == 200, what="health")


def fault(daemon):
    """Return what /health says is wrong, as soon as something is."""
    answer = wait_for(lambda: (found := get(daemon)).status_code == 503 and found, what="a fault")
    return answer.text


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hanging_server_is_told_quickly_on_every_page(tmp_path, free_port, end):
    with serving(tmp_path / "data.fs", free_port) as server:
        with daemon_of(tmp_path, f"zeo://127.0.0.1:{free_port}?wait_timeout=60") as daemon:
            until_ok(daemon)
            server.send_signal(end)
            fault(daemon)
            for path in PATHS:
                answer = get(daemon, path)
                assert answer.status_code == 503
                assert "the database" in answer.text
        server.kill()


def test_health_is_told_while_all_threads_wait_for_a_dead_server(tmp_path, free_port):
    with serving(tmp_path / "data.fs", free_port) as server:
        with daemon_of(tmp_path, f"zeo://127.0.0.1:{free_port}?wait_timeout=60") as daemon:
            until_ok(daemon)
            server.send_signal(signal.SIGSTOP)
            address = urlsplit(str(get(daemon).url))
            waiting = [HTTPConnection(address.hostname, address.port) for _ in range(10)]
            for connection in waiting:
                connection.request("GET", "/export/categ/0.json")
            assert "the database" in fault(daemon)
            for connection in waiting:
                connection.close()
        server.kill()


def test_a_server_that_is_back_makes_the_daemon_ready_again(tmp_path, free_port):
    file, uri = tmp_path / "data.fs", f"zeo://127.0.0.1:{free_port}?wait_timeout=60"
    with serving(file, free_port) as server, daemon_of(tmp_path, uri) as daemon:
        until_ok(daemon)
        server.kill()
        server.wait()
        fault(daemon)
        with serving(file, free_port):
            until_ok(daemon)


def test_a_full_disk_is_told_though_nothing_is_to_be_written(tmp_path):
    file = tmp_path / "data.fs"
    with daemon_of(tmp_path, f"file://{file}", full_disk.environment()) as daemon:
        until_ok(daemon)
        limit = file.stat().st_size + 1000
        full_disk.limit(daemon.process.pid, limit)
        assert "cannot write" in fault(daemon)
        assert "cannot write" in get(daemon, "/").text
        assert "relay_healthy 0.0" in get(daemon, "/metrics").text
        full_disk.limit(daemon.process.pid, full_disk.EVER)
        until_ok(daemon)
        assert "relay_healthy 1.0" in get(daemon, "/metrics").text


def test_health_writes_nothing(tmp_path):
    file = tmp_path / "data.fs"
    with daemon_of(tmp_path, f"file://{file}") as daemon:
        until_ok(daemon)
        with connect(f"file://{file}") as connection:
            newest = connection.db().lastTransaction

            def is_asked_in_peace():
                before = newest()
                for path in PATHS * 3:
                    assert get(daemon, path).status_code == 200
                return newest() == before

            wait_for(is_asked_in_peace, what="peace")  # a daemon that has just started writes so


def test_a_standby_is_ready_too(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    (tmp_path / "standby").mkdir()
    with (
        daemon_of(tmp_path, uri),
        closing(Daemon(tmp_path / "standby", uri, standby=True)) as standby,
    ):
        standby.wait_until_up()
        until_ok(standby)


def test_workers_that_are_all_stopped_are_told(tmp_path):
    with daemon_of(tmp_path, f"file://{tmp_path}/data.fs") as daemon:
        until_ok(daemon)
        wait_for(lambda: len(daemon.workers()) == WORKERS, what="the workers")
        for worker in daemon.workers():
            worker.suspend()
        assert "no worker answers" in fault(daemon)
