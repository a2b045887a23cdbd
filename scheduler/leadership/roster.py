"""The office: who runs the scheduler of a database, and who stands by to take its place."""

from __future__ import annotations

import os
import socket
import time
from typing import NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store import Schema

_running_here: set[str] = set()


class WorkerInfo(NamedTuple):
    """One worker: its name with its process id, and the claim it is at, or was last, if any."""

    worker: str
    tid: int = 0
    number: int = 0
    state: str = ""
    """Empty, or why it does not work: starting, stopped, unresponsive."""


class Candidate(Persistent):
    """A scheduler that leads or stands by: its process, and its heartbeat.

    Written by its own beats alone, so that nothing conflicts with them.
    """

    def __init__(self) -> None:
        self.owner = ProcessIdentity.this_process()
        self.pid = os.getpid()
        self.hostname = socket.getfqdn()
        self.beats = 0
        self.seen = 0.0
        """When it beat last by its own clock: for people, nothing is decided by it."""

    def beat(self) -> None:
        """Show that it lives."""
        self.beats += 1
        self.seen = time.time()


class Roster(Persistent):
    """Who runs the scheduler of this database: host, process, the run's own token, its workers.

    Each one that takes office does so for a new *term*. Conflict behaviour: of two that take it
    at once, the second conflicts and finds it taken; and so does, at its commit, whatever the
    one before was about to write under its own term (see `scheduler.leadership.lease`).
    """

    hostname: str | None = None
    pid: int | None = None
    token: str | None = None
    term: int = 0
    workers: tuple[WorkerInfo, ...] = ()
    process: ProcessIdentity | None = None

    def __init__(self) -> None:
        self.candidates = OOBTree()  # token -> Candidate

    def is_taken(self) -> bool:
        """Say whether a scheduler runs, as far as can be seen from here."""
        return self.process is not None and not self.process.is_gone() and not self._is_left()

    def is_certain(self) -> bool:
        """Say whether that is seen from here: the process is of this machine, and not stopped."""
        return self.process is not None and self.process.is_here() and not self.process.is_stopped()

    def enter(self, token: str) -> Candidate:
        """Enter this process's scheduler with *token* as a candidate, if it is not; return that."""
        if token not in self.candidates:
            self.candidates[token] = Candidate()
        candidate: Candidate = self.candidates[token]
        return candidate

    def take(self, token: str) -> None:
        """Let the scheduler with *token*, of this process, lead from now on, for a new term."""
        self.process = ProcessIdentity.this_process()
        self.hostname = socket.getfqdn()
        self.pid = os.getpid()
        self.token = token
        self.term += 1
        self.workers = ()

    def leave(self, token: str) -> None:
        """Enter that the scheduler with *token* has ended."""
        if token in self.candidates:
            del self.candidates[token]
        if self.token == token:
            self.process = self.hostname = self.pid = self.token = None
            self.workers = ()

    def standing_by(self) -> list[Candidate]:
        """Return the candidates that do not lead."""
        return [
            each
            for token, each in self.candidates.items()
            if token != self.token and not each.owner.is_gone()
        ]

    def _is_left(self) -> bool:
        # This process is entered, but by a scheduler that is no longer running in it.
        return self.process == ProcessIdentity.this_process() and self.token not in _running_here


def _make_room_for_candidates(office: Roster) -> None:
    office.candidates = OOBTree()


BRANCH = Schema("office", 2, Roster, {1: _make_room_for_candidates})


def office_of(connection: Connection) -> Roster:
    """Return the office of the database that *connection* is to."""
    return BRANCH.get(connection)


def begin_here(token: str) -> None:
    """Note that the scheduler with *token* runs in this process."""
    _running_here.add(token)


def end_here(token: str) -> None:
    """Note that it no longer does."""
    _running_here.discard(token)
