"""The line of claims in front of a worker: one thread fills it, others take from its head."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from itertools import islice

from scheduler.inbox.claims import Claim


class ClaimQueue:
    """Claims in the order in which they are to be run; safe to use from several threads."""

    def __init__(self) -> None:
        self._claims: deque[Claim] = deque()
        self._changed = threading.Condition()
        self.is_closed = False
        """Whether nobody is to wait any longer."""

    def extend(self, claims: Iterable[Claim]) -> None:
        """Add *claims* at the end."""
        with self._changed:
            self._claims.extend(claims)
            self._changed.notify_all()

    def wait(self) -> Claim | None:
        """Take the first claim, waiting for one; None when the line is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._claims or self.is_closed)
            return self._claims.popleft() if self._claims else None

    def take(self) -> Claim | None:
        """Take the first claim; None when the queue is empty."""
        with self._changed:
            return self._claims.popleft() if self._claims else None

    def put_back(self, claim: Claim) -> None:
        """Put *claim*, which was taken, at the head again."""
        with self._changed:
            self._claims.appendleft(claim)
            self._changed.notify()

    def take_all(self) -> list[Claim]:
        """Take all claims."""
        with self._changed:
            claims = list(self._claims)
            self._claims.clear()
            return claims

    def all(self) -> list[Claim]:
        """Return all claims, and leave them in the line."""
        with self._changed:
            return list(self._claims)

    def coming(self, limit: int) -> list[Claim]:
        """Return the first claims, at most *limit*, and leave them in the line."""
        with self._changed:
            return list(islice(self._claims, limit))

    def close(self) -> None:
        """End all waits for claims."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
