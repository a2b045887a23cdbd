"""What lasts is told once: a database that is away, and no file descriptor that is left."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack, suppress
from functools import partial
from urllib.parse import urlsplit

import pytest

from scheduler import Client, nowutc
from scheduler.store import open_database, transact
from tests.faults.processes import Daemon, serving
from tests.faults.test_leaders import Cable
from tests.postgres import connect
from tests.scheduler.harness import View
from tests.scheduler.sample_tasks import Count
from tests.waiting import DEADLINE, wait_for


@pytest.fixture
def zeo(tmp_path, free_port):
    uri = f"zeo://127.0.0.1:{free_port}?wait_timeout=20"
    with serving(tmp_path / "zeo.fs", free_port):
        open_database(uri).close()
        cable = Cable(lambda: socket.create_connection(("127.0.0.1", free_port)))
        yield uri, f"zeo://127.0.0.1:{cable.port}?wait_timeout=2", cable
        cable.close()


@pytest.fixture
def postgres(postgres_server, postgres_uri):
    cable = Cable(partial(connect, postgres_server))
    name = urlsplit(postgres_uri).path.strip("/")
    yield postgres_uri, f"postgresql://postgres:@127.0.0.1:{cable.port}/{name}", cable
    cable.close()


def enqueue(connection):
    for _ in range(5):
        Client(connection).enqueue(Count(nowutc()))


@pytest.mark.parametrize("storage", ["zeo", "postgres"])
def test_an_outage_is_one_line_in_the_log_and_its_end_another(request, tmp_path, storage):
    direct, by_cable, cable = request.getfixturevalue(storage)
    with ExitStack() as stack:
        daemon = Daemon(tmp_path, by_cable, workers=2)
        stack.callback(daemon.close)
        daemon.wait_until_up()
        database = open_database(direct)
        stack.callback(database.close)
        view = View(database)
        stack.callback(view.close)
        transact(database, enqueue)
        view.until(lambda: view.counts().get("finished") == 5, DEADLINE)
        cable.cut()
        transact(database, enqueue)
        wait_for(lambda: "the database is away" in daemon.text(), DEADLINE)
        cable.mend()
        wait_for(lambda: "the database is there again" in daemon.text(), DEADLINE)
        view.until(lambda: view.counts().get("finished") == 10, DEADLINE)
        lines = daemon.text().splitlines()
        of_outage = [
            line
            for line in lines
            if re.search(
                "(WARNING|ERROR|CRITICAL) (scheduler.storage.outage_log|relstorage|ZEO|txn)", line
            )
        ]
        assert ["away" in line or "there again" in line for line in of_outage] == [True, True]
        assert "Traceback" not in daemon.text()


def first_free(pid):
    """Return the least number that no descriptor of process *pid* has."""
    taken = {int(each) for each in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _open(url):
    return urllib.request.urlopen(f"{url}/health", timeout=200)  # noqa: S310 (of the test)


def fetch(url):
    with suppress(OSError), _open(url) as answer:
        return answer.status


def test_a_daemon_that_runs_out_of_descriptors_is_quiet_and_comes_back(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    with ExitStack() as stack:
        daemon = Daemon(tmp_path, uri, workers=1)
        stack.callback(daemon.close)
        daemon.wait_until_up()
        wait_for(daemon.workers, DEADLINE)
        url = re.search(r"http://\S+", daemon.text())[0]
        wait_for(lambda: fetch(url) == 200, DEADLINE)
        pid = daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free(pid), before[1]))
        threads = [threading.Thread(target=fetch, args=[url]) for _ in range(5)]
        for thread in threads:
            thread.start()
        show = [sys.executable, "-m", "daemon.cli.main", "show", "status", "--database", uri]
        wait_for(lambda: "no connection can be accepted" in daemon.text(), DEADLINE)
        # Another process has descriptors of its own, and needs none of the daemon's.
        assert subprocess.run(show, stdout=subprocess.DEVNULL, check=False).returncode == 0
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for thread in threads:
            thread.join()
        wait_for(lambda: fetch(url) == 200, DEADLINE)
        assert len(daemon.text().splitlines()) < 60
        assert daemon.text().count("no connection can be accepted") <= 2
        assert daemon.terminate() == 0
