"""The start of the daemon in the background, in a session of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from daemon.errors import StartFailure
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.command_value import ENVIRONMENT
from scheduler.values.legible import legible


class StartReport:
    """The pipe over which a daemon in the background reports to the command that started it."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            # An inherited pipe stays open as long as the programs that tasks start.
            os.set_inheritable(descriptor, False)

    def is_wanted(self) -> bool:
        """Return whether a command waits for the report."""
        return self._descriptor is not None

    def up(self, url: str) -> None:
        """Report that the daemon is up, with its front end at *url*."""
        self._report(f"up {os.getpid()} {url}")

    def failed(self, message: str) -> None:
        """Report why the daemon did not come up; nothing if `up` was reported before."""
        self._report(f"failed {message}")

    def _report(self, line: str) -> None:
        if self._descriptor is not None:
            with os.fdopen(self._descriptor, "w", encoding="utf-8") as pipe:
                pipe.write(legible(line))
            self._descriptor = None


def start(arguments: Sequence[str], database: str | None) -> tuple[int, str]:
    """Start `indico_scheduler` with *arguments* in the background; return its pid and address.

    The URI *database*, where one is given, is passed in the environment: the list of processes
    would show a password in an argument.
    Returns when it is up; raises StartFailure with the reason if it does not come up.
    """
    environment = dict(os.environ)
    if database is not None:
        environment[URI_VARIABLE] = database
        arguments = [*arguments, "--database", f"{ENVIRONMENT}{URI_VARIABLE}"]
    ours, theirs = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 (this very interpreter, a module of ours)
            [sys.executable, "-P", "-m", "daemon.cli.main", *arguments, "--report", str(theirs)],
            pass_fds=[theirs],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
    finally:
        os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as pipe:
        kind, _, rest = pipe.read().partition(" ")
    if kind == "up":
        pid, _, url = rest.partition(" ")
        process.returncode = 0  # it outlives this command, which need not wait for it
        return int(pid), url
    status = process.wait()
    raise StartFailure(rest or f"the daemon ended with status {status}: see its log")
