"""The watch for coroutines that do not end where they are cancelled, at a limit or by a client."""

from __future__ import annotations

import math
import threading
import time

from scheduler.executors.base import KillReason
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import Begun
from scheduler.states import TASK_STATUS_ABORTED

# Seconds that a coroutine has to end in, from when it is cancelled.
GRACE_SECONDS = 2.0


class CoroutineWatch:
    """The coroutines of one event loop that must end, each with the reason to end it by force.

    A coroutine that blocks the loop, or goes on behind its cancellation, does not end by itself.
    It is safe to use the watch from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[int, tuple[float, KillReason]] = {}  # by the number of the claim

    def begin(self, begun: Begun) -> None:
        """Note a coroutine that begins now, and is cancelled at its hard limit."""
        self._expect(begun.claim, KillReason.overdue(begun), begun.limit)

    def cancel(self, claim: Claim) -> None:
        """Note that the coroutine of *claim* is cancelled now."""
        self._expect(claim, KillReason(TASK_STATUS_ABORTED, "cancelled", claim), 0.0)

    def end(self, claim: Claim) -> None:
        """Note that the coroutine of *claim* has ended."""
        with self._lock:
            self._ends.pop(claim.number, None)

    def rest(self) -> float:
        """Return for how many seconds none has to be ended by force."""
        with self._lock:
            first = min((moment for moment, _ in self._ends.values()), default=math.inf)
        return max(0.0, first - time.monotonic())

    def overdue(self) -> KillReason | None:
        """Return why a coroutine has to be ended by force now, if one has."""
        now = time.monotonic()
        with self._lock:
            return next((why for moment, why in self._ends.values() if moment <= now), None)

    def _expect(self, claim: Claim, why: KillReason, seconds: float) -> None:
        end = (time.monotonic() + seconds + GRACE_SECONDS, why)
        with self._lock:
            # The first end counts: a cancellation can be known before the beginning is.
            self._ends[claim.number] = min(end, self._ends.get(claim.number, end), key=_moment)


def _moment(end: tuple[float, KillReason]) -> float:
    return end[0]
