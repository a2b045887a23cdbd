"""Whether there is a database: commands that look must not make one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scheduler.errors import DatabaseMissing
from scheduler.storage.access import open_storage
from scheduler.store.database_uri import POSTGRES_SCHEMES, default_uri, file_of, resolved
from scheduler.values.masking import shown_address


def expect_database(uri: str | None = None) -> None:
    """Raise DatabaseMissing, naming where it was looked for, if opening *uri* would make it.

    Nothing is made by this, no folder and no lock. Raises DatabaseUnavailable where a server does
    not answer.
    """
    uri = uri or default_uri()
    if uri.startswith(POSTGRES_SCHEMES):
        if not open_storage(uri, lambda: _has_tables(uri)):
            raise DatabaseMissing(f"the database {shown_address(uri)!r} holds no objects: {REMEDY}")
        return
    for file in _files_of(uri):
        if not _is_there(file):
            raise DatabaseMissing(f"there is no database at {file}: {REMEDY}")


REMEDY = "name another with --database or $SCHEDULER_DATABASE, or start the daemon, which makes it"


def _files_of(uri: str) -> Iterator[Path]:
    embedded = file_of(uri)
    if embedded is not None:
        yield embedded
    elif uri.startswith("sqlite://"):
        for folder in parse_qs(urlsplit(uri).query).get("data_dir", ()):
            yield Path(folder).absolute() / "main.sqlite3"
    elif uri.startswith("zconfig://"):
        yield from _configured(getattr(resolved(uri)[0], "__self__", None))


def _configured(section: Any) -> Iterator[Path]:
    """Yield the files of a storage as ZConfig has read it, which may stand upon another."""
    config = getattr(section, "config", None)
    path, base = getattr(config, "path", None), getattr(config, "base", None)
    if path is not None:
        yield Path(path).absolute()
    elif base is not None:
        yield from _configured(base)


def _is_there(file: Path) -> bool:
    # A packing that was killed between its two renames has left the file under other names.
    if not file.exists():
        return Path(f"{file}.old").exists()
    return not file.is_file() or file.stat().st_size > 0


def _has_tables(uri: str) -> bool:
    try:
        postgres = import_module("scheduler.storage.postgres")
    except ImportError:
        return True  # opening it says what is missing
    found: bool = postgres.has_tables(uri)
    return found
