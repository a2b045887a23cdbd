"""What others use under live traffic: clients send single tasks while two workers run them.

Each as its users run it: its consumer is started by its command, clients are processes of their
own. A task appends a line to a file, which counts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

from tests.waiting import wait_for

DEADLINE = 600

HUEY = """
import os
from huey import {kind}
huey = {kind}({options})

@huey.task()
def note():
    with open({done!r}, "a") as file:
        file.write("x\\n")

def send():
    note()
"""

PROCRASTINATE = """
import procrastinate, psycopg_pool
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo={uri!r}))
sender = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo={uri!r}))

@app.task(name="note")
def note():
    with open({done!r}, "a") as file:
        file.write("x\\n")

def send():
    sender.configure_task("note").defer()
"""

SET_UP = """
import peer
with peer.sender.open():
    peer.sender.schema_manager.apply_schema()
"""

CLIENT = """
import sys, time, contextlib
import peer
with peer.sender.open() if hasattr(peer, "sender") else contextlib.nullcontext():
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            peer.send()
        print(time.perf_counter() - began, flush=True)
"""

CONSUME_HUEY = ("-m", "huey.bin.huey_consumer", "peer.huey", "-k", "process", "-w", "2", "-q")
CONSUME_PROCRASTINATE = ("-m", "procrastinate", "--app=peer.app", "worker", "-c", "1")


class Peer(NamedTuple):
    """Another queue: the module of its tasks, and the commands that consume them."""

    module: str
    consumers: tuple[tuple[str, ...], ...]
    set_up: str = ""


PEERS = {
    "Huey, SQLite": Peer(
        HUEY.replace("{kind}", "SqliteHuey").replace(
            "{options}", "filename={folder!r} + '/huey.db', fsync=True"
        ),
        (CONSUME_HUEY,),
    ),
    "Huey, PostgreSQL": Peer(
        HUEY.replace("{kind}", "PostgresHuey").replace("{options}", "dsn={uri!r}"),
        (CONSUME_HUEY,),
        "import peer",
    ),
    "Procrastinate, PostgreSQL": Peer(PROCRASTINATE, (CONSUME_PROCRASTINATE,) * 2, SET_UP),
}


def live(peer, folder, uri, clients, count):
    """Return how many tasks a second *clients* send, and how many are run, of *count*."""
    done = folder / "done"
    done.touch()
    text = peer.module.format(folder=str(folder), uri=uri, done=str(done))
    (folder / "peer.py").write_text(text)
    if peer.set_up:
        subprocess.run([sys.executable, "-c", peer.set_up], cwd=folder, check=True)
    with _running(peer.consumers, folder), _senders(clients, folder) as senders:
        _send(senders[:1], 1)
        wait_for(lambda: _lines(done) >= 1, DEADLINE)
        began = time.perf_counter()
        sent = _send(senders, count // clients)
        expected = count // clients * clients
        wait_for(lambda: _lines(done) >= 1 + expected, DEADLINE)
        return expected / sent, expected / (time.perf_counter() - began)


def _send(senders, count):
    """Let each of *senders* send *count* tasks; return the seconds that the last one took."""
    for sender in senders:
        print(count, file=sender.stdin, flush=True)
    return max(float(sender.stdout.readline()) for sender in senders)


def _lines(path):
    return path.stat().st_size // 2


@contextmanager
def _running(commands, folder):
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=_environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _senders(number, folder):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT], cwd=folder, env=_environment(folder), **pipes
        )
        for _ in range(number)
    ]
    try:
        for process in started:
            process.stdout.readline()
        yield started
    finally:
        for process in started:
            process.communicate()


def _environment(folder):
    return {**os.environ, "PYTHONPATH": str(folder)}
