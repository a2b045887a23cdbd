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
    """Run a server whose data is below *folder*; yield it."""
    running = _start(Path(folder))
    try:
        yield running
    finally:
        running.cleanup()


def _start(folder, deadline=None):
    deadline = deadline or time.monotonic() + PATIENCE
    try:
        return pgserver.get_server(folder / "data")
    except (subprocess.SubprocessError, FileNotFoundError):
        if time.monotonic() > deadline:
            raise
        # Each step is given ten seconds, which may not be enough. What was begun is of no use.
        return _start(folder / "again", deadline)
