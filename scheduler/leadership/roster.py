"""The roster: the leader of a database, its workers, and the stand-by schedulers."""

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
    """One worker: its name with its process id, and its present or last claim, if any."""

    worker: str
    tid: int = 0
    number: int = 0
    state: str = ""
    """Empty, or why it does not work: starting, stopped, unresponsive."""


class Candidate(Persistent):
    """A scheduler that leads or stands by: its process, and its heartbeat.

    Conflict behaviour: only its own heartbeats write it, so nothing conflicts with them.
    """

    def __init__(self) -> None:
        self.owner = ProcessIdentity.this_process()
        self.pid = os.getpid()
        self.hostname = socket.gethostname()
        self.beats = 0
        self.seen = 0.0
        """Its last heartbeat by its own clock (Unix seconds): for people, no decision uses it."""

    def beat(self) -> None:
        """Add a heartbeat."""
        self.beats += 1
        self.seen = time.time()


class Roster(Persistent):
    """The leader of this database (host, process, token, workers) and all candidates.

    Each leader has a new *term*. Conflict behaviour: if two take the lease concurrently, the
    second conflicts and finds it taken; whatever the former leader was about to commit under its
    own term conflicts as well (see `scheduler.leadership.lease`).
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
        """Return whether a scheduler leads, as far as this process can see."""
        return self.process is not None and not self.process.is_gone() and not self._is_left()

    def is_certain(self) -> bool:
        """Return whether the leader runs on this machine and is not stopped."""
        return self.process is not None and self.process.is_here() and not self.process.is_stopped()

    def enter(self, token: str) -> Candidate:
        """Return the candidate *token* of this process; add it first if it is missing."""
        if token not in self.candidates:
            self.candidates[token] = Candidate()
        candidate: Candidate = self.candidates[token]
        return candidate

    def take(self, token: str) -> None:
        """Make the scheduler *token* of this process the leader, for a new term."""
        self.process = ProcessIdentity.this_process()
        self.hostname = socket.gethostname()
        self.pid = os.getpid()
        self.token = token
        self.term += 1
        self.workers = ()

    def leave(self, token: str) -> None:
        """Remove the scheduler *token*, which has ended."""
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
        # A scheduler of this process is the leader, but has ended.
        return self.process == ProcessIdentity.this_process() and self.token not in _running_here


def _make_room_for_candidates(roster: Roster) -> None:
    roster.candidates = OOBTree()


SCHEMA = Schema("roster", 2, Roster, {1: _make_room_for_candidates})


def roster_of(connection: Connection) -> Roster:
    """Return the roster of the database of *connection*."""
    return SCHEMA.get(connection)


def note_started(token: str) -> None:
    """Note that the scheduler with *token* runs in this process."""
    _running_here.add(token)


def note_ended(token: str) -> None:
    """Note that the scheduler with *token* has ended."""
    _running_here.discard(token)
