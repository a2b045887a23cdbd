"""Benchmark of daemons at rest: what they write and use while there is nothing to do."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests import postgres
from tests.rest import PLACES, SITUATIONS, resting

SETTLE_SECONDS = int(os.environ.get("BENCH_REST_SETTLE", "8"))
SECONDS = int(os.environ.get("BENCH_REST_SECONDS", "10"))


def bench_rest():
    """Print for each kind of database and each situation what a daemon does at rest."""
    heads = ("database", "situation", "commits/s", "bytes/s", "CPU %", "commits")
    _print(*heads)
    with ExitStack() as stack:
        server = None
        for kind in os.environ.get("BENCH_REST_KINDS", ";".join(PLACES)).split(";"):
            if kind == "PostgreSQL":
                server = stack.enter_context(postgres.server())
            for situation in _situations():
                _rest(kind, situation, server)


def _situations():
    return os.environ.get("BENCH_REST_SITUATIONS", ";".join(SITUATIONS)).split(";")


def _rest(kind, situation, server):
    with (
        tempfile.TemporaryDirectory() as folder,
        resting(Path(folder), kind, situation, port=_free_port(), server=server) as rest,
    ):
        time.sleep(SETTLE_SECONDS)
        commits, busy = rest.measure(SECONDS)
    size = sum(commit.size for commit in commits)
    what = ", ".join(f"{n} {name}" for name, n in Counter(c.what for c in commits).most_common(3))
    rates = (f"{len(commits) / SECONDS:.2f}", f"{size / SECONDS:,.0f}", f"{busy:.2f}")
    _print(kind, situation, *rates, what)


def _print(kind, situation, commits, size, busy, what):
    line = f"{kind:<18}{situation:<26}{commits:>10}{size:>10}{busy:>8}  {what}\n"
    sys.stdout.write(line)
    sys.stdout.flush()


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


BENCHMARKS = {"rest": bench_rest}
