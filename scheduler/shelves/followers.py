"""The followers: which step waits for which, and how those have ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from BTrees.LOBTree import LOBTree
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.store import Schema

OPEN, FINISHED, FAILED = range(3)
"""The states of a predecessor."""

_LAST = 2**63


class Course(Enum):
    """The further way of a follower."""

    WAITS = "waits"
    RUNS = "runs"
    ABORTED = "aborted"
    NOT_NEEDED = "not needed"


class Follower(NamedTuple):
    """A step that waits for others: itself, when it is begun, and the state of those."""

    step: Any
    when: str
    open: int
    """How many of the steps that it waits for have not ended."""

    failed: int
    """How many of them have ended without having finished."""

    @property
    def course(self) -> Course:
        """The way that it goes now."""
        if self.when == "failed" and self.failed:
            return Course.RUNS
        if self.when == "finished" and self.failed:
            return Course.ABORTED
        if self.open:
            return Course.WAITS
        return Course.NOT_NEEDED if self.when == "failed" else Course.RUNS


class Followers(Persistent):
    """The steps that wait for others, by numbers.

    Conflict behaviour: the leader alone writes it, in its ticks. So that thousands of attempts
    that end at once, and for which one step waits, never meet.
    """

    def __init__(self) -> None:
        self._edges = OOBTree()  # (predecessor, follower) -> state of the predecessor
        self._followers = LOBTree()  # number of the follower -> Follower, as a tuple

    def add(self, number: int, step: Any, when: str, states: Iterable[tuple[int, int]]) -> None:
        """Add *step* with this *number*; *states* are those of its predecessors, by number."""
        found = dict(states)
        for predecessor, state in found.items():
            self._edges[predecessor, number] = state
        values = list(found.values())
        self._put(number, Follower(step, when, values.count(OPEN), values.count(FAILED)))

    def get(self, number: int) -> Follower | None:
        """Return the follower *number*; None if it waits for nothing."""
        stored = self._followers.get(number)
        return None if stored is None else Follower(*stored)

    def holds(self, number: int) -> bool:
        """Say whether the step *number* is not to be begun."""
        follower = self.get(number)
        return follower is not None and follower.course is not Course.RUNS

    def of(self, predecessor: int) -> Iterator[int]:
        """Yield the numbers of the steps that wait for *predecessor*, or have waited for it."""
        for _, follower in self._edges.keys((predecessor, -1), (predecessor, _LAST)):
            yield follower

    def note(self, predecessor: int, state: int) -> list[int]:
        """Note the *state* of *predecessor*; return the followers for which that is new.

        A predecessor that has ended stays so until it is OPEN again.
        """
        changed = []
        for number in list(self.of(predecessor)):
            before = self._edges[predecessor, number]
            if (before == OPEN) == (state == OPEN):
                continue
            self._edges[predecessor, number] = state
            follower = Follower(*self._followers[number])
            opened = 1 if state == OPEN else -1
            failed = (state == FAILED) - (before == FAILED)
            self._put(
                number,
                follower._replace(open=follower.open + opened, failed=follower.failed + failed),
            )
            changed.append(number)
        return changed

    def drop(self, number: int, predecessors: Iterable[int]) -> None:
        """Forget the follower *number*, which waits for *predecessors*."""
        if self._followers.pop(number, None) is not None:
            for predecessor in predecessors:
                self._edges.pop((predecessor, number), None)

    def _put(self, number: int, follower: Follower) -> None:
        self._followers[number] = tuple(follower)

    def __contains__(self, number: int) -> bool:
        return number in self._followers

    def __bool__(self) -> bool:
        return bool(self._followers)


SCHEMA = Schema("followers", 1, Followers)


def followers_of(connection: Connection) -> Followers:
    """Return the followers in the database of *connection*."""
    return SCHEMA.get(connection)
