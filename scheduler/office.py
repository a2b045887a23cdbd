"""The office: who runs the scheduler of a database, so that there is one of it."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.errors import SchedulerException
from scheduler.owner import Owner
from scheduler.store import Branch, transact

_running_here: set[str] = set()


class Post(NamedTuple):
    """One worker: its name with its process id, and the claim it is at, or was last, if any."""

    worker: str
    tid: int = 0
    number: int = 0


class Office(Persistent):
    """Who runs the scheduler of this database: host, process, the run's own token, its workers.

    Conflict behaviour: two that enter at once conflict, and the second finds it taken; after
    that, the one that is in writes it alone.
    """

    hostname: str | None = None
    pid: int | None = None
    token: str | None = None
    workers: tuple[Post, ...] = ()
    _process: Owner | None = None

    def is_taken(self) -> bool:
        """Say whether a scheduler runs, as far as can be seen from here."""
        return self._process is not None and not self._process.is_gone() and not self._is_left()

    def take(self, token: str) -> None:
        """Enter this process; SchedulerException if another scheduler is alive."""
        if self.is_taken():
            raise SchedulerException(
                f"a scheduler of this database runs on {self.hostname} with pid {self.pid}: "
                "stop it first"
            )
        self._process = Owner.this_process()
        self.hostname = socket.getfqdn()
        self.pid = os.getpid()
        self.token = token

    def leave(self, token: str) -> None:
        """Enter that the scheduler with *token* has ended."""
        if self.token == token:
            self._process = self.hostname = self.pid = self.token = None
            self.workers = ()

    def _is_left(self) -> bool:
        # This process is entered, but by a scheduler that is no longer running in it.
        return self._process == Owner.this_process() and self.token not in _running_here


BRANCH = Branch("office", 1, Office)


def office_of(connection: Connection) -> Office:
    """Return the office of the database that *connection* is to."""
    return BRANCH.get(connection)


def take_office(database: DB, token: str) -> None:
    """Enter this process as the scheduler of *database*; SchedulerException if one is alive."""
    transact(
        database, lambda connection: office_of(connection).take(token), note="scheduler: start"
    )
    _running_here.add(token)


def leave_office(database: DB, token: str) -> None:
    """Enter that the scheduler with *token* has ended."""
    _running_here.discard(token)
    transact(database, lambda connection: office_of(connection).leave(token), note="scheduler: end")
