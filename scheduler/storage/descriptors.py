"""Descriptors: the files and sockets that an open database shares with a process forked from it.

A fork copies descriptors, but not what they stand for: both processes move the same position in
a file, write into the same socket, hold the same lock. A child that wrote one byte, or read one,
would damage what its parent writes and reads. And while it has them open, nobody sees that the
parent has ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ZEO.ClientStorage import ClientStorage
from ZODB.FileStorage.FileStorage import FileStorage

from scheduler.storage.embedded_file import EmbeddedStorage


def cut_off(storage: Any) -> None:
    """Detach this child process from the files and sockets of its parent's *storage*.

    Each descriptor leads to /dev/null from now on: buffered data goes there, and closing one,
    which could release the parent's lock or end its session with a server, does nothing.
    """
    redirect(_of_storage(storage))


def cut_off_loop(loop: Any) -> None:
    """Detach this child process from the sockets of an event loop of its parent."""
    redirect(_of_loop(loop))


def redirect(descriptors: Iterator[int]) -> None:
    """Redirect each of *descriptors* to /dev/null."""
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        for descriptor in descriptors:
            with suppress(OSError):
                os.dup2(nowhere, descriptor, inheritable=False)
    finally:
        os.close(nowhere)


def _of_storage(storage: Any) -> Iterator[int]:
    if isinstance(storage, EmbeddedStorage):
        yield from storage.descriptors()
    elif isinstance(storage, FileStorage):
        pool = storage._files
        lock = getattr(storage._lock_file, "_fp", None)
        yield from _of_files(lock, storage._file, storage._tfile, *pool._files, *pool._out)
    elif isinstance(storage, ClientStorage):
        cache = storage._cache
        lock = getattr(getattr(cache, "_lock_file", None), "_fp", None)
        yield from _of_files(lock, cache.f)
        yield from _of_loop(storage._server.loop)
    elif hasattr(storage, "opened_connections"):  # of PostgreSQL
        for connection in list(storage.opened_connections):
            if not connection.closed:
                yield connection.fileno()
    else:
        for inner in ("base", "changes", "_storage"):  # a storage in front of others
            if inner in vars(storage):
                yield from _of_storage(vars(storage)[inner])


def _of_files(*files: Any) -> Iterator[int]:
    for file in files:
        if file is not None:
            with suppress(ValueError):  # it is closed
                yield file.fileno()


def _of_loop(loop: Any) -> Iterator[int]:
    selector = getattr(loop, "_selector", None)
    if selector is None or selector.get_map() is None:
        return  # another kind of loop, or closed
    yield from [*selector.get_map(), loop._csock.fileno(), selector.fileno()]
