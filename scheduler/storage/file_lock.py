"""The locks of a data file: the processes of one machine share it, and one at a time packs it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zc.lockfile
from ZODB.FileStorage.FileStorage import FileStorageError

from scheduler.errors import DatabaseUnavailable
from scheduler.storage.private_files import opener
from scheduler.storage.process_identity import this_boot


def lock_shared(path: str) -> Any:
    """Lock *path* so that nobody takes the file for theirs alone, as ZODB's FileStorage does.

    The lock file names the machine: only the processes of one see each other's writes at once.
    Raises LockError if somebody has the file alone, DatabaseUnavailable if another machine has.
    """
    file = open(path, "r+b", buffering=0, opener=opener)  # noqa: SIM115 (the storage closes it)
    try:
        if _lock(file, fcntl.LOCK_EX):
            file.truncate()
            file.write(this_boot().encode())
        if not _lock(file, fcntl.LOCK_SH):
            raise zc.lockfile.LockError(f"{path} is locked by another process")
        if os.pread(file.fileno(), 1024, 0) != this_boot().encode():
            raise DatabaseUnavailable(
                f"the database {path.removesuffix('.lock')} is open on another machine, which "
                "shares the file system: reach it by a ZEO server, or use PostgreSQL"
            )
    except BaseException:
        file.close()
        raise
    return file


def _lock(file: Any, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def only_packer(path: str) -> Iterator[None]:
    """Hold the lock *path* in the block; raises FileStorageError while another process has it."""
    with open(path, "wb", opener=opener) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileStorageError("Already packing") from None
        yield
