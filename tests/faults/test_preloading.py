"""A server that preloads its application forks workers with an open database."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack

from ZODB.FileStorage import FileIterator

from scheduler.store import connect
from tests.waiting import DEADLINE, wait_for

REQUESTS = 20


APPLICATION = """
import os
import transaction
from scheduler.store import open_database, transact

database = open_database(os.environ["SCHEDULER_DATABASE"])

def add(connection):
    root = connection.root()
    root["count"] = root.get("count", 0) + 1
    return root["count"]

transact(database, lambda connection: connection.root().update(count=0))

def app(environ, start_response):
    count = transact(database, add, attempts=1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d %d" % (os.getpid(), count)]
"""


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=200) as answer:
        pid, count = answer.read().split()
        return int(pid), int(count)


def is_up(port):
    try:
        return fetch(port)
    except OSError:
        return None


def test_gunicorn_may_preload_an_application_that_opens_the_database(
    uri, tmp_path, free_port, monkeypatch
):
    (tmp_path / "preloaded.py").write_text(APPLICATION)
    monkeypatch.setenv("SCHEDULER_DATABASE", uri)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3"]
    command += ["--bind", f"127.0.0.1:{free_port}", "--chdir", str(tmp_path)]
    command += ["--no-control-socket", "--log-level", "error", "preloaded:app"]
    with subprocess.Popen(command) as server, ExitStack() as stack:
        stack.callback(server.kill)
        wait_for(lambda: is_up(free_port), DEADLINE)
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(fetch(free_port)))
            for _ in range(REQUESTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.send_signal(signal.SIGTERM)
        assert server.wait(DEADLINE) == 0
    numbers = sorted(count for _, count in answers)
    assert len(set(numbers)) == REQUESTS
    with connect(uri) as connection:
        assert connection.root()["count"] == numbers[-1]
    assert list(FileIterator(str(tmp_path / "data.fs")))
