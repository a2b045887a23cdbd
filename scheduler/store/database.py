"""Databases by URI: the embedded one, joined when another process has it, and all others."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import transaction
import zc.lockfile
import zodburi
from ZConfig import ConfigurationError
from ZEO.ClientStorage import ClientStorage
from ZEO.Exceptions import ClientDisconnected
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.FileStorage.FileStorage import packed_version
from ZODB.POSException import POSError
from zodburi.resolvers import FileStorageURIResolver

from scheduler.errors import DatabaseUnavailable
from scheduler.owner import Owner
from scheduler.store.current import using
from scheduler.store.file import EmbeddedStorage
from scheduler.store.heir import Heir
from scheduler.store.hub import STORAGE_NAME, Hub

log = logging.getLogger(__name__)

URI_VARIABLE = "SCHEDULER_DATABASE"
EMBEDDED_FILE = "var/relay.fs"
SOCKET_PATH_LIMIT = 100
JOIN_SECONDS = 10.0
POOL_SIZE = 50
# Objects in memory of each connection, as zodburi has it for the other URIs.
CACHE_SIZE = 10_000
POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class Database(DB):
    """A database that knows its URI, and is served to others while it is open where it can be."""

    def __init__(self, storage: Any, uri: str, **options: Any) -> None:
        if isinstance(storage, ClientStorage):
            _forget_ids_of_gone_servers(storage)
        super().__init__(storage, **options)
        self.uri = uri
        self.hub: Hub | None = None
        self.heir: Heir | None = None

    def serve(self, path: str) -> None:
        """Let the other processes of this machine join at the Unix socket *path*."""
        self.hub = Hub(self, path)

    def close(self) -> None:
        """Stop serving, and close the database with all its connections."""
        if self.hub is not None:
            self.hub.close()
            self.hub = None
        super().close()
        if self.heir is not None:
            self.heir.close()
            self.heir = None


def default_uri() -> str:
    """Return what is opened where no URI is given: $SCHEDULER_DATABASE, else the embedded one."""
    return os.environ.get(URI_VARIABLE) or f"file://{Path(EMBEDDED_FILE).absolute()}"


@contextmanager
def connect(uri: str | None = None) -> Iterator[Connection]:
    """Open a database for a script and make its connection the current one.

    It belongs to the thread's transaction manager, so `transaction.commit()` commits; what is
    not committed at the end is aborted. Raises DatabaseUnavailable.
    """
    database = open_database(uri)
    try:
        connection = database.open()
        with using(connection):
            yield connection
    finally:
        transaction.abort()
        database.close()


def open_database(uri: str | None = None) -> Database:
    """Open the database that *uri* names (see `default_uri` for None).

    A `file://` database is embedded: the first process to open it serves it on a Unix socket
    beside it, the others join there. Raises DatabaseUnavailable, naming the culprit.
    """
    uri = uri or default_uri()
    if uri.startswith(POSTGRES_SCHEMES):
        storage = _open_storage(uri, lambda: _open_postgres(uri))
        return Database(storage, uri, pool_size=POOL_SIZE, cache_size=CACHE_SIZE)
    factory, options = _resolve(uri)
    if uri.startswith("file://"):
        return _open_embedded(uri, options)
    return Database(_open_storage(uri, factory), uri, **options)


def join_database(uri: str) -> Database:
    """Open the database that *uri* names for a process that is not to outlive its owner.

    An embedded one is joined only, and not served on when whoever serves it has gone.
    Raises DatabaseUnavailable.
    """
    if not uri.startswith("file://"):
        return open_database(uri)
    _, options = _resolve(uri)
    file, _ = _file_and_query(uri)
    deadline = time.monotonic() + JOIN_SECONDS
    while (joined := _join(file)) is None:
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(f"nobody serves {file}{_holder(file)}")
        time.sleep(0.05)
    return Database(joined, uri, **options)


def holder_of(uri: str) -> Owner | None:
    """Return the process of this machine that has the file of the embedded database *uri*.

    None where that cannot be seen, and for every other database.
    """
    if not uri.startswith("file://"):
        return None
    file, _ = _file_and_query(uri)
    return Owner.of_lock(Path(f"{file}.lock"))


def socket_path(file: Path) -> str:
    """Return where the embedded database *file* is served.

    Beside it; for a path longer than a Unix socket's may be, in a private folder of the
    user's under the system's temporary one.
    """
    beside = f"{file}.sock"
    if len(beside) <= SOCKET_PATH_LIMIT:
        return beside
    folder = Path(tempfile.gettempdir()) / f"relay-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise DatabaseUnavailable(
            f"{folder} must belong to you and be closed to others: remove it and try again"
        )
    return str(folder / hashlib.sha256(beside.encode()).hexdigest()[:24])


def _resolve(uri: str) -> tuple[Any, dict[str, Any]]:
    try:
        factory, options = zodburi.resolve_uri(uri)
        options["pool_size"] = max(options["pool_size"], POOL_SIZE)
        return factory, options
    except zodburi.NoResolverForScheme:
        raise DatabaseUnavailable(
            f"{uri!r} does not name a database: use file:///path/data.fs, zeo://host:port, "
            "zconfig:///path/zodb.conf, memory://, or, with the extra 'postgres' installed, "
            "postgresql://..."
        ) from None
    except zodburi.UnknownDatabaseKeywords as error:
        raise DatabaseUnavailable(f"the database URI {uri!r}: {error.args[0]}") from None
    except (ConfigurationError, ValueError, KeyError, OSError, SyntaxError, ImportError) as error:
        raise DatabaseUnavailable(f"the database URI {uri!r} cannot be read: {error}") from error


def _open_postgres(uri: str) -> Any:
    # Imported only where it is asked for: RelStorage is an extra, and slow to import.
    try:
        postgres = import_module("scheduler.store.postgres")
    except ImportError:
        raise DatabaseUnavailable(
            f"the database {uri!r} needs RelStorage: install the extra 'postgres'"
        ) from None
    return postgres.open_postgres(uri)


def _open_embedded(uri: str, options: dict[str, Any]) -> Database:
    file, query = _file_and_query(uri)
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            return _own(file, uri, query, options)
        except zc.lockfile.LockError:
            joined = _join(file)
            if joined is not None:
                database = Database(joined, uri, **options)
                database.heir = Heir(joined, lambda: _own(file, uri, query, {}))
                return database
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"{file} is locked by another process{_holder(file)} that does not serve it: "
                    "stop that process and try again"
                ) from None
            time.sleep(0.05)  # between taking the lock and serving, or between two owners


def _file_and_query(uri: str) -> tuple[Path, str]:
    name, _, query = uri.removeprefix("file://").partition("?")
    return Path(os.path.abspath(name)), query


def _own(file: Path, uri: str, query: str, options: dict[str, Any]) -> Database:
    storage = _open_storage(uri, lambda: _make_file_storage(file, query))
    database = Database(storage, uri, **options)
    database.serve(socket_path(file))
    return database


def _make_file_storage(file: Path, query: str) -> EmbeddedStorage:
    file.parent.mkdir(parents=True, exist_ok=True)
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
        return client
    except (ClientDisconnected, OSError):
        return None


def _forget_ids_of_gone_servers(storage: ClientStorage) -> None:
    # A client sets aside ids for new objects; a server that takes over hands out the same again.
    disconnected = storage.notify_disconnected

    def notify_disconnected() -> None:
        storage._oids.clear()
        disconnected()

    storage.notify_disconnected = notify_disconnected


def _holder(file: Path) -> str:
    try:
        return f" (pid {Path(f'{file}.lock').read_text().strip()})"
    except OSError:
        return ""


def _open_storage(uri: str, factory: Any) -> Any:
    try:
        return factory()
    except (zc.lockfile.LockError, DatabaseUnavailable):
        raise
    except ClientDisconnected as error:
        raise DatabaseUnavailable(
            f"no ZEO server answers at {uri!r}: start it, or correct the address"
        ) from error
    except (OSError, POSError, ValueError) as error:
        raise DatabaseUnavailable(f"the database {uri!r} cannot be opened: {error}") from error
    except Exception as error:
        raise DatabaseUnavailable(
            f"the database {uri!r} cannot be opened: {type(error).__name__}: {error}"
        ) from error
