"""The watch of the code, for development: workers are replaced when a file of it changes."""

from __future__ import annotations

import logging
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from ZODB import DB

from daemon.errors import DaemonException
from scheduler import Client
from scheduler.store import transact
from scheduler.values.extras import missing_extra

log = logging.getLogger(__name__)

INSTALLED = ("site-packages", "dist-packages")


class CodeWatch:
    """A thread that has the workers of *database* replaced when a Python file changes.

    It watches the folders of `sys.path`, but those of installed packages, and the working folder.
    Raises DaemonException where `watchfiles` is not installed.
    """

    def __init__(self, database: DB) -> None:
        self._database = database
        self._files = _watchfiles()
        self._folders = _folders()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="code", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        log.info("watching the Python files in %s", ", ".join(map(str, self._folders)))
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        changed = self._files.watch(
            *self._folders, watch_filter=self._files.PythonFilter(), stop_event=self._stop
        )
        for changes in changed:
            names = sorted({str(file) for _, file in changes})
            log.info("workers are replaced: %s has changed", ", ".join(names[:5]))
            try:
                transact(self._database, _reload, note="daemon: reload")
            except Exception:
                log.exception("database %s: no reload", self._database.getName())


def _reload(connection: Any) -> None:
    Client(connection).reloadWorkers()


def _watchfiles() -> Any:
    # Imported only where it is asked for: it is an extra.
    try:
        return import_module("watchfiles")
    except ImportError as error:
        raise DaemonException(f"start --reload: {missing_extra(error) or error}") from None


def _folders() -> list[Path]:
    """Return the folders whose files are those of an application, none within another one."""
    base = (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())
    found = {Path(entry or ".").resolve() for entry in (".", *sys.path)}
    own = {
        folder
        for folder in found
        if folder.is_dir()
        and not set(INSTALLED).intersection(folder.parts)
        and not any(folder.is_relative_to(each) for each in base)
    }
    return sorted(each for each in own if not own.intersection(each.parents))
