"""A real PostgreSQL server for tests and benchmarks, and a database of its own for each."""

from __future__ import annotations

import secrets
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pgserver
import psycopg2

PATIENCE = 100


@contextmanager
def server():
    """Run a server, started however busy the machine is; yield it."""
    # Not in a folder of pytest, which keeps other users out, and the server is run by one.
    with tempfile.TemporaryDirectory(prefix="postgres.", ignore_cleanup_errors=True) as folder:
        running = _start(Path(folder))
        try:
            yield running
        finally:
            running.cleanup()


@contextmanager
def database(running):
    """Make a database on the *running* server; yield its address."""
    name = f"test_{secrets.token_hex(6)}"
    query(running.get_uri(), f"CREATE DATABASE {name}")
    try:
        yield running.get_uri(name)
    finally:
        query(running.get_uri(), f"DROP DATABASE {name} WITH (FORCE)")


def connect(running):
    """Return a socket that is connected with the *running* server."""
    end = socket.socket(socket.AF_UNIX)
    end.connect(f"{running.get_postmaster_info().socket_dir}/.s.PGSQL.5432")
    return end


def query(uri, command, *values):
    """Execute *command*, a transaction of its own; return its rows, or None where it has none."""
    with closing(psycopg2.connect(uri)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(command, values or None)
            return cursor.fetchall() if cursor.description else None


def _start(folder, deadline=None):
    deadline = deadline or time.monotonic() + PATIENCE
    try:
        return pgserver.get_server(folder / "data")
    except (subprocess.SubprocessError, FileNotFoundError):
        if time.monotonic() > deadline:
            raise
        # Each step is given ten seconds, which may not be enough. What was begun is of no use.
        again = folder / "again"
        again.mkdir()
        return _start(again, deadline)
