"""The counts of a tick: what was enqueued and what has ended, told after its commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler.worker.measure import Measure


class TickCounts(NamedTuple):
    """The counts of one commit of the leader."""

    enqueued: Sequence[tuple[str, str]]
    """The name and the queue of each task that was taken out of the spool."""
    measures: Sequence[Measure]
    """The attempts that have ended."""
    conflicts: Sequence[tuple[str, int]]
    """The name of each task whose attempt conflicted, and how often it did."""
    has_written: bool
    """Whether there was anything to commit."""


Tell = Callable[[TickCounts], None]
