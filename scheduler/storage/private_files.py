"""Files and folders that only their owner may read, whatever the umask, also where they exist."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FILE, FOLDER, COMMITTED = 0o600, 0o700, 0o400
OTHERS = 0o077

OWN_SUFFIXES = {".fs", ".log", ".toml", ".pid", ".blobs", ".sqlite3"}
"""Files of this software, which may stand in a folder of its own."""


def opener(path: str, flags: int) -> int:
    """Open *path* for `open(..., opener=opener)`; a file that this makes is private."""
    return os.open(path, flags, FILE)


def private_file(path: str | Path) -> None:
    """Make *path*, an empty file, where it is missing, and close it to others."""
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, FILE))
    close_to_others(path)


def private_folder(folder: Path) -> None:
    """Make *folder* and those above it where they are missing, each closed to others."""
    if folder.is_dir():
        return
    private_folder(folder.parent)
    folder.mkdir(mode=FOLDER, exist_ok=True)
    folder.chmod(FOLDER)


def own_folder(folder: Path, name: str) -> bool:
    """Make *folder* for the files that begin with *name*; return whether it is closed to others.

    An existing folder is closed only if it is the user's and holds no files of others.
    """
    private_folder(folder)
    found = folder.stat()
    if not found.st_mode & OTHERS:
        return True
    is_shared = found.st_mode & stat.S_ISVTX or found.st_uid != os.geteuid()
    if is_shared or not _holds_only(os.listdir(folder), name):
        return False
    folder.chmod(FOLDER)
    return True


def private_tree(folder: Path) -> None:
    """Close *folder*, and all in it, to others."""
    for where, _, files in os.walk(folder):
        close_to_others(where)
        for name in files:
            close_to_others(Path(where, name))


def close_to_others(path: str | Path) -> None:
    """Take the rights of others off *path*; what is another user's, or gone, stays as it is."""
    with suppress(OSError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & OTHERS:
            os.chmod(path, mode & ~OTHERS)


def sync(path: str | Path) -> None:
    """Return when the content of *path*, a file or the names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds_only(entries: Iterable[str], name: str) -> bool:
    return all(
        entry.startswith(name) or OWN_SUFFIXES & set(Path(entry).suffixes) for entry in entries
    )
