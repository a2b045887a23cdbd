"""Packing and backups as tasks: with a log, and an end that is recorded."""

from __future__ import annotations

from pathlib import Path

from daemon.maintenance import backup
from daemon.maintenance.packing import pack
from scheduler import attempt, task
from scheduler.store import connection_of


@task(maxTries=1, alone=True, unique=True)
def pack_database(keep_history: float) -> str:
    """Drop the history of the database that is older than *keep_history* seconds."""
    database = connection_of(attempt.task).db()
    before = database.getSize()
    pack(database, keep_history)
    return f"packed from {before} to {database.getSize()} bytes"


@task(maxTries=1, alone=True, unique=True)
def back_up_database(file: str, folder: str) -> str:
    """Back the embedded database *file* up into *folder*, with its blobs, as of one moment."""
    written = backup.back_up(Path(file), Path(folder))
    backup.note(connection_of(attempt.task).db(), Path(file), Path(folder))
    return "there was nothing new" if written is None else f"{written} is written"
