"""The acts of a task outside of the database: those that Python tells of (`sys.addaudithook`).

They are not undone when the worker is killed before its commit, and are repeated by the next
attempt.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR
_EVENTS = frozenset(
    {
        "ftplib.sendcmd",
        "http.client.connect",
        "http.client.send",
        "imaplib.send",
        "os.link",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.system",
        "os.truncate",
        "shutil.copyfile",
        "shutil.move",
        "shutil.rmtree",
        "smtplib.connect",
        "smtplib.send",
        "socket.connect",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
    }
)


class _OwnNotes(threading.local):
    is_on = False
    has_noted = False


_watch = _OwnNotes()
_is_installed = False


def install() -> None:
    """Watch the tasks of this process; a second call changes nothing."""
    global _is_installed
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_note)


@contextmanager
def watching() -> Iterator[None]:
    """Note what this thread does inside the block."""
    _watch.is_on = True
    try:
        yield
    finally:
        _watch.is_on = False


def forget() -> None:
    """Forget what was noted in this thread."""
    _watch.has_noted = False


def has_noted() -> bool:
    """Return whether anything was noted in this thread since it was forgotten."""
    return _watch.has_noted


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _watch.is_on and (event in _EVENTS or (event == "open" and _is_writing(args))):
        _watch.has_noted = True


def _is_writing(args: tuple[Any, ...]) -> bool:
    # Anybody may raise an event of this name, with other arguments.
    flags = args[2] if len(args) == 3 else 0
    return isinstance(flags, int) and bool(flags & _WRITING)
