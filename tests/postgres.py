"""A real PostgreSQL server for tests and benchmarks, started however busy the machine is."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pgserver

PATIENCE = 100


@contextmanager
def server(folder):
    """Run a server whose data is in *folder*; yield it."""
    running = _start(folder)
    try:
        yield running
    finally:
        running.cleanup()


def _start(folder):
    # It gives its server ten seconds, and fails over a log that is not there yet.
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return pgserver.get_server(folder)
        except (subprocess.SubprocessError, FileNotFoundError):
            # What failed half-way it would give out as if it ran.
            pgserver.PostgresServer._instances.pop(Path(folder).resolve(), None)
            if time.monotonic() > deadline:
                raise
