"""The heartbeat of a worker: signs of life, in memory that outlasts it whatever becomes of it."""

from __future__ import annotations

import os
import tempfile
from mmap import mmap
from typing import NamedTuple

# Numbers of 8 bytes each: heartbeats, the claim whose coroutine has the event loop, the claim at
# hand, whether its run has begun, how many claims of the open transaction have begun, and their
# numbers.
BEATS, IN_LOOP, CLAIM, IS_RUNNING, COUNT, FIRST = range(6)
ROOM = 1000
SIZE = 8 * (FIRST + ROOM)


class BegunClaims(NamedTuple):
    """The claims that a worker was at, by their numbers, when it was seen last."""

    loading: int
    """The one whose task was being loaded; 0 for none."""
    running: int
    """The one whose task was at work; 0 for none."""
    done: frozenset[int]
    """Those whose tasks had ended, but were not known to be committed."""
    in_loop: int = 0
    """The one whose coroutine kept the event loop; 0 for none."""

    def numbers(self) -> frozenset[int]:
        """Return all of them."""
        return self.done | {self.loading, self.running}


class WorkerHeartbeat:
    """The heartbeats of a worker, and which claims it has begun, in *memory* of SIZE bytes.

    One process writes it, another one may read it, also when the writer was killed. Each change
    is one number written, so that it is right at every moment.
    """

    def __init__(self, memory: mmap | bytearray) -> None:
        self._words = memoryview(memory).cast("Q")

    @classmethod
    def private(cls) -> WorkerHeartbeat:
        """Return one that nobody else can see."""
        return cls(bytearray(SIZE))

    def beat(self) -> None:
        """Show that this process goes on."""
        self._words[BEATS] += 1

    def begin(self) -> None:
        """Note that a transaction begins: nothing of it is done."""
        self._words[CLAIM] = self._words[COUNT] = 0

    def load(self, number: int) -> None:
        """Note that the task of claim *number* is about to be loaded."""
        self._words[CLAIM] = self._words[IS_RUNNING] = 0
        self._words[CLAIM] = number

    def run(self) -> None:
        """Note that the task at hand begins to work."""
        self._words[IS_RUNNING] = 1

    def done(self) -> None:
        """Note that the task at hand has ended, and is to be committed."""
        count = self._words[COUNT]
        if count < ROOM:
            self._words[FIRST + count] = self._words[CLAIM]
            self._words[COUNT] = count + 1
        self._words[CLAIM] = 0

    def commit(self) -> None:
        """Note that no task is at hand: what was done is committed."""
        self._words[CLAIM] = 0

    def give_loop(self, number: int) -> None:
        """Note that the coroutine of claim *number* has the event loop; 0 for none."""
        self._words[IN_LOOP] = number

    @property
    def beats(self) -> int:
        """How often it has beaten."""
        return self._words[BEATS]

    def begun_claims(self) -> BegunClaims:
        """Return which claims were begun, of those that are not known to be committed."""
        claim, is_running, count = self._words[CLAIM:FIRST]
        done = frozenset(self._words[FIRST : FIRST + count])
        loading, running = (0, claim) if is_running else (claim, 0)
        return BegunClaims(loading, running, done - {claim}, self._words[IN_LOOP])


def shared_memory() -> int:
    """Return the descriptor of new memory of SIZE bytes, which is gone when nobody has it open."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("heartbeat")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, SIZE)
    return descriptor
