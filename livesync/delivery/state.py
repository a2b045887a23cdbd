"""The stored delivery state of one agent, written in small commits of its own."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from BTrees.OOBTree import OOTreeSet
from persistent import Persistent

from livesync.delivery.dead_letters import DeadLetters
from livesync.delivery.results import BatchResults, RefusedRecord
from livesync.delivery.settings import DeliverySettings
from livesync.errors import AgentBusyException
from scheduler.storage.process_identity import ProcessIdentity

# Longest pause, in seconds, that a target can ask for.
LONGEST_REST = 86_400
# The present names of attributes, by those under which layout 1 has them.
RENAMED = {"heard": "known_up_to", "snapshot": "full_export"}


class ClaimedWindow(NamedTuple):
    """The delivery window: the changes behind *start*, up to *end*."""

    start: int | None
    end: int | None
    known_up_to: float
    """The position up to which the target may know objects, when the window was opened."""


class ExportProgress(NamedTuple):
    """Progress of a full export: see `livesync.resync.full_export`."""

    tid: int
    """The last transaction that it sees."""

    position: int | None
    """Where the agent follows from, when all is sent."""

    key: str
    """The last key that was sent; empty for none."""


class DeliveryLease(NamedTuple):
    """The right to deliver: the run that has it, its process, and when it expires."""

    token: str
    owner: ProcessIdentity
    deadline: float


class DeliveryState(Persistent):
    """The state of the delivery to one agent, apart from its pointer.

    A window stays until it is delivered, so that what is sent again after a crash is the same.
    It is void where the pointer is not at its start. Conflict behaviour: written by the run of
    its agent and by commands of administrators; concurrent writers conflict and one retries.
    """

    window: ClaimedWindow | None = None
    lease: DeliveryLease | None = None
    full_export: ExportProgress | None = None
    """The full export that is under way or was interrupted; nothing else is delivered meanwhile."""

    furthest: int | None = None
    """The newest position that anything was ever delivered up to, or was about to be."""

    known_up_to: float | None = None
    """The position up to which the target may know objects; None if that is not known."""

    epoch: tuple[int | None, str] | None = None
    """The pointer, and the mark of what is sent first while it stands there.

    It is made when something is sent: so a database that was put back to an earlier state
    has another one for what it sends then.
    """

    paused = False
    failures = 0
    """How many runs failed, one after the other."""

    not_before: float = 0
    """When the next run may begin, in Unix seconds."""

    failure: tuple[float, str] | None = None
    """When and why the last run failed; None if it did not."""

    ran_at: float | None = None
    """When the last run began; None if nobody has run the agent yet."""

    delivered_at: float | None = None
    """When the target took something last."""

    delivered = 0
    """How many records were taken, ever."""

    retries = 0
    """How many runs failed, ever."""

    seconds: float = 0
    """How long the last batch took."""

    batches = 0
    batches_seconds: float = 0
    """How many batches were taken, ever, and how long that took."""

    def __init__(self) -> None:
        self.known_up_to = -math.inf
        self.settings = DeliverySettings()
        self.dead_letters = DeadLetters()
        self.accepted = OOTreeSet()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({RENAMED.get(name, name): value for name, value in state.items()})

    def take(self, token: str, now: float) -> None:
        """Give the lease to run *token*, or extend it; AgentBusyException while another has it."""
        lease = self.lease
        if lease is not None and lease.token != token:
            owner = lease.owner
            if lease.deadline > now and not owner.is_gone():
                where = "" if owner.is_here() else " of another machine or container"
                raise AgentBusyException(
                    f"process {owner.pid}{where} is delivering to this agent: wait for it"
                )
        self.lease = DeliveryLease(token, ProcessIdentity.this_process(), now + self.settings.limit)

    def is_held_by(self, token: str) -> bool:
        """Return whether the run *token* has the lease."""
        return self.lease is not None and self.lease.token == token

    def release(self, token: str) -> None:
        """Give up the lease of run *token*."""
        if self.is_held_by(token):
            self.lease = None

    def open(self, window: ClaimedWindow) -> ClaimedWindow:
        """Return the window to deliver: the one that is open at its start, else *window*."""
        if self.window is None or self.window.start != window.start:
            self.void()
            self.window = window
            self.note_furthest(window.end)
        return self.window

    def note_furthest(self, position: int | None) -> None:
        """Note that the target is about to receive changes up to *position*."""
        if position is not None and (self.furthest is None or position > self.furthest):
            self.furthest = position

    def note_known(self, position: int | None) -> None:
        """Note that the target may know all objects made up to *position*."""
        if position is not None and self.known_up_to is not None and position > self.known_up_to:
            self.known_up_to = position

    def mark_from(self, start: int | None) -> str:
        """Return the mark of what is sent first while the pointer stands at *start*."""
        if self.epoch is None or self.epoch[0] != start:
            self.epoch = (start, secrets.token_hex(4))
        return self.epoch[1]

    def close(self) -> None:
        """Note that the window is delivered."""
        self.void()
        self.recover()

    def end_epoch(self) -> None:
        """End the epoch: records from now on have another mark."""
        if self.epoch is not None:
            self.epoch = None

    def recover(self) -> None:
        """Note that whatever made runs fail has come to an end."""
        if self.failures:
            self.failure, self.failures, self.not_before = None, 0, 0

    def void(self) -> None:
        """Drop the window: nothing of it is on its way."""
        if self.window is not None:
            self.window = None
        if self.accepted:
            self.accepted = OOTreeSet()

    def enter(self, results: BatchResults, now: float) -> list[str]:
        """Write down *results*; return a log line for each record that is a dead letter now."""
        if results.accepted:
            self.delivered += len(results.accepted)
            self.delivered_at = now
            self.seconds = results.seconds
            self.batches += 1
            self.batches_seconds += results.seconds
        for name in results.settled:
            self.dead_letters.drop(name)
        return [line for refused in results.refused for line in self._keep(refused, now)]

    def mark(self, results: BatchResults) -> None:
        """Note which records of the window are dealt with: they are not sent with it again."""
        if self.window is not None and results.marks:
            self.accepted.update(results.marks)

    def fail(self, reason: str, now: float, retry_after: float | None = None) -> None:
        """Note that a run failed, and when the next one may begin."""
        self.failures += 1
        self.retries += 1
        self.failure = (now, reason)
        wait = self.settings.wait(self.failures) if retry_after is None else retry_after
        self.not_before = now + min(wait, max(LONGEST_REST, self.settings.longest))

    def make_due(self) -> None:
        """Have the next run begin at once, and send again what was refused and is not dead."""
        self.not_before = 0
        for letter in list(self.dead_letters):
            if letter.due is not None:
                self.dead_letters.change(letter.name, due=0.0)

    def last_failure(self) -> tuple[datetime, str] | None:
        """Return when and why the last run failed; None if it did not."""
        if self.failure is None:
            return None
        return datetime.fromtimestamp(self.failure[0], UTC), self.failure[1]

    def _keep(self, refused: RefusedRecord, now: float) -> Iterator[str]:
        tries = refused.tries + 1
        is_dead = refused.is_final or tries >= self.settings.tries
        due = None if is_dead else now + self.settings.wait(tries)
        self.dead_letters.put(refused.name, refused.record, refused.reason, tries, now, due)
        if is_dead:
            yield f"record {refused.name} is a dead letter, try {tries}: {refused.reason}"
