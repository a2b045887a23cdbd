"""The embedded database: a file of this machine that all its processes share."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import zc.lockfile
from ZODB.FileStorage.FileStorage import FileStorage, packed_version
from zodburi.resolvers import FileStorageURIResolver

from scheduler.errors import DatabaseUnavailable
from scheduler.storage.access import open_storage
from scheduler.storage.embedded_file import EmbeddedStorage
from scheduler.storage.process_identity import locker_of

# Seconds that another process may take to end that has the file for itself.
LOCK_SECONDS = 10.0


class Embedded:
    """Access to the file of the embedded database *uri* (`file://...`)."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._file, self._query = file_and_query(uri)

    def open(self) -> Any:
        """Return a storage of this process on the file; raises DatabaseUnavailable."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return open_storage(self._uri, lambda: _open_file(self._file, self._query))
            except zc.lockfile.LockError as error:
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"{self._file} is locked by another process{_locker(self._file)} that "
                        "does not share it: stop that process and try again; if it is an "
                        "application, let it open the database by "
                        f"'scheduler.store.open_database(\"file://{self._file}\")' in place of "
                        "FileStorage and DB"
                    ) from error
            time.sleep(0.05)


def file_and_query(uri: str) -> tuple[Path, str]:
    """Return the file that *uri* (`file://...`) names, and the options behind it."""
    name, _, query = uri.removeprefix("file://").partition("?")
    return Path(os.path.abspath(name)), query


def _open_file(file: Path, query: str) -> FileStorage:
    options, _ = FileStorageURIResolver().interpret_kwargs(dict(parse_qsl(query)))
    options.pop("blobstorage_layout", None)
    blobs = options.pop("blobstorage_dir", None) or f"{file}.blobs"
    _check_magic(file)
    kind = FileStorage if options.get("read_only") else EmbeddedStorage
    return kind(str(file), blob_dir=blobs, **options)


def _check_magic(file: Path) -> None:
    # FileStorage finds out as well, but leaves its lock and its files behind.
    if not file.exists():
        return
    with file.open("rb") as opened:
        start = opened.read(len(packed_version))
    if start not in (b"", packed_version):
        raise ValueError("it is no ZODB FileStorage; name another file, or put the backup back")


def _locker(file: Path) -> str:
    pid = locker_of(Path(f"{file}.lock"))
    if pid is None:
        return " that cannot be seen from here, another user's or one in another container,"
    return f" (pid {pid})"
