"""The embedded database: a file of this machine that one process holds and serves to the others."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import zc.lockfile
from ZEO.ClientStorage import ClientStorage
from ZEO.Exceptions import ClientDisconnected
from ZODB.FileStorage.FileStorage import packed_version
from zodburi.resolvers import FileStorageURIResolver

from scheduler.errors import DatabaseUnavailable
from scheduler.storage.access import open_storage
from scheduler.storage.embedded_file import EmbeddedStorage, PrivateBlobs
from scheduler.storage.embedded_server import STORAGE_NAME
from scheduler.storage.failover import ServerFailover
from scheduler.storage.process_identity import locker_of

if TYPE_CHECKING:
    from scheduler.store.database import Database

SOCKET_PATH_LIMIT = 100
JOIN_SECONDS = 10.0


class Embedded:
    """Access to the embedded database: the first process holds the file, others join its socket."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._file, self._query = file_and_query(uri)

    def open(self) -> Any:
        """Return the file's storage, or a client of the process that has the file."""
        _refuse_what_is_in_the_way(self._file)
        deadline = time.monotonic() + JOIN_SECONDS
        while True:
            try:
                return self.open_own()
            except zc.lockfile.LockError:
                joined = _join(self._file)
                if joined is not None:
                    return joined
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"{self._file} is locked by another process{_holder(self._file)} that does "
                    "not serve it: stop that process and try again; if it is an application, let "
                    "it open the database by "
                    f"'scheduler.store.open_database(\"file://{self._file}\")' in place of "
                    "FileStorage and DB"
                )
            time.sleep(0.05)  # between taking the lock and serving, or between two owners

    def attach(self, database: Database) -> None:
        """Serve the file to others; or watch its server for failover."""
        if isinstance(database.storage, ClientStorage):
            database.failover = ServerFailover(
                database.storage, lambda: type(database)(TakenOver(self), self._uri)
            )
        else:
            _serve(database, self._file)

    def open_own(self) -> Any:
        """Open the file itself, to serve it from this process."""
        return open_storage(self._uri, lambda: _make_file_storage(self._file, self._query))


class TakenOver:
    """Access to the file of the embedded database for the process that takes over serving it."""

    def __init__(self, embedded: Embedded) -> None:
        self.open = embedded.open_own
        self.attach = embedded.attach


class JoinOnly:
    """Access to the socket of the embedded database, for a process that never takes over."""

    def __init__(self, uri: str) -> None:
        self._file, _ = file_and_query(uri)

    def open(self) -> Any:
        """Return a client of the process that has the file."""
        deadline = time.monotonic() + JOIN_SECONDS
        while (joined := _join(self._file)) is None:
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"no process serves {self._file}: start its scheduler or application again"
                )
            time.sleep(0.05)
        return joined

    def attach(self, database: Database) -> None:
        """Nothing is to be done."""


def file_and_query(uri: str) -> tuple[Path, str]:
    """Return the file that *uri* (`file://...`) names, and the options behind it."""
    name, _, query = uri.removeprefix("file://").partition("?")
    return Path(os.path.abspath(name)), query


def socket_path(file: Path) -> str:
    """Return where the embedded database *file* is served.

    Beside it; for a path longer than a Unix socket's may be, in a private folder of the
    user's under the system's temporary one.
    """
    beside = f"{file}.sock"
    if len(beside) <= SOCKET_PATH_LIMIT:
        return beside
    folder = Path(tempfile.gettempdir()) / f"relay-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not folder.is_dir() or folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise DatabaseUnavailable(
            f"{folder} must belong to you and be closed to others: remove it and try again"
        )
    return str(folder / hashlib.sha256(beside.encode()).hexdigest()[:24])


def _make_file_storage(file: Path, query: str) -> EmbeddedStorage:
    options, _ = FileStorageURIResolver().interpret_kwargs(dict(parse_qsl(query)))
    options.pop("blobstorage_layout", None)
    blobs = options.pop("blobstorage_dir", None) or f"{file}.blobs"
    _check_magic(file)
    return EmbeddedStorage(str(file), blob_dir=blobs, **options)


def _check_magic(file: Path) -> None:
    # FileStorage finds out as well, but leaves its lock and its files behind.
    if not file.exists():
        return
    with file.open("rb") as opened:
        start = opened.read(len(packed_version))
    if start not in (b"", packed_version):
        raise ValueError("it is no ZODB FileStorage; name another file, or put the backup back")


def _join(file: Path) -> ClientStorage | None:
    path = socket_path(file)
    if not os.path.exists(path):
        return None
    try:
        client = ClientStorage(
            path,
            storage=STORAGE_NAME,
            blob_dir=f"{file}.blobs",
            shared_blob_dir=True,
            wait_timeout=2,
        )
        # Up to a second is added at random: whoever serves the file next is soon found.
        client._server.client.connect_poll = 0
        client.fshelper = PrivateBlobs(f"{file}.blobs")
        return client
    except (ClientDisconnected, OSError):
        return None


def _refuse_what_is_in_the_way(file: Path) -> None:
    path = socket_path(file)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = "symbolic link" if stat.S_ISLNK(mode) else "folder" if stat.S_ISDIR(mode) else "file"
        raise DatabaseUnavailable(
            f"{file} cannot be opened: a {kind} stands at {path}, where its socket belongs: remove "
            "it and try again"
        )


def _serve(database: Database, file: Path) -> None:
    path = socket_path(file)
    try:
        database.serve(path)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{file} cannot be served to other processes at {path}: {error.strerror or error}"
        ) from error


def _holder(file: Path) -> str:
    pid = locker_of(Path(f"{file}.lock"))
    if pid is None:
        return " that cannot be seen from here, another user's or one in another container,"
    return f" (pid {pid})"
