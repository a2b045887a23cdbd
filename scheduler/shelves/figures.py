"""The figures: how many attempts ended, how long they took, and what waited, of the last week."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, TASK_STATUS_TERMINATED
from scheduler.store import Schema

MINUTE = 60
BROKEN = {TASK_STATUS_FAILED, TASK_STATUS_TERMINATED}

Steps: TypeAlias = tuple[tuple[int, int], ...]
"""How many attempts took how long: pairs of a step on the scale of durations, and a number."""

LEAST_SECONDS = 0.001
DOUBLED = 4
"""The number of steps in which a duration doubles: percentiles are exact to a tenth."""


class Span(NamedTuple):
    """A kind of chart: how many slots of how many minutes it has."""

    minutes: int
    slots: int


HOUR, DAY, WEEK = SPANS = (Span(1, 60), Span(15, 96), Span(120, 84))


class Slot(NamedTuple):
    """The figures of some minutes. The first is *minute*, since 1970."""

    minute: int
    finished: int = 0
    """How many attempts finished their task."""

    failed: int = 0
    """How many attempts failed it for good."""

    put_off: int = 0
    """How many attempts ended with another one to come, after a failure or not."""

    waiting: int = 0
    """The most tasks that waited at a time."""

    left: int = 0
    """How many waited in the end."""

    late: float = 0.0
    """The longest wait of a due task for a worker, in seconds."""

    durations: Steps = ()
    """How many attempts took how long, from their begin to their commit."""

    waits: Steps = ()
    """How many attempts began how long after their task was due."""

    commits: Steps = ()
    """How many attempts took how long to be committed."""

    def plus(self, other: Slot) -> Slot:
        """Return the figures of this slot and a later one together."""
        return Slot(
            self.minute,
            self.finished + other.finished,
            self.failed + other.failed,
            self.put_off + other.put_off,
            max(self.waiting, other.waiting),
            other.left,
            max(self.late, other.late),
            _added(self.durations, other.durations),
            _added(self.waits, other.waits),
            _added(self.commits, other.commits),
        )


def quantile(steps: Steps, part: float) -> float | None:
    """Return the seconds that *part* of the attempts of *steps* do not exceed; None without any."""
    rest = part * sum(count for _, count in steps)
    for step, count in steps:
        rest -= count
        if rest <= 0:
            return float(LEAST_SECONDS * 2 ** ((step + 0.5) / DOUBLED))
    return None


class EndedAttempt(NamedTuple):
    """An attempt that has ended: the state in which its task is left, and its seconds."""

    shelf: int | None
    """None for a task that has another attempt before it."""

    seconds: float
    waited: float | None = None
    """None where that is not known, as in the next one."""

    committed: float | None = None


class Ring(Persistent):
    """The slots of one span, the oldest of which make room.

    Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._slots: tuple[tuple[Any, ...], ...] = ()

    def append(self, slot: Slot, kept: int) -> None:
        """Add *slot*; the last *kept* stay."""
        self._slots = (*self._slots, tuple(slot))[-kept:]

    def __iter__(self) -> Iterator[Slot]:
        return (Slot(*each) for each in self._slots)


class Figures(Persistent):
    """The slot of the present minute, and a ring for each span.

    The leader's notes (`scheduler.dispatch.figure_notes`) are added to the present slot; a ring is
    written when a slot of it is over. Conflict behaviour: the leader alone writes it.
    """

    def __init__(self) -> None:
        self._present: tuple[Any, ...] = ()
        self._rings = tuple(Ring() for _ in SPANS)

    def note(self, now: float, ended: Iterable[EndedAttempt], waiting: int, late: float) -> None:
        """Add attempts that have *ended* at *now* (since 1970), and what waits after them."""
        before = Slot(*self._present) if self._present else None
        minute = max(int(now // MINUTE), before.minute if before is not None else 0)
        slot = _slot_of(minute, ended, waiting, late)
        if before is not None and before.minute == minute:
            slot = before.plus(slot)
        elif before is not None:
            self._put_away(before, minute)
        self._present = tuple(slot)

    def series(self, span: Span, now: float) -> list[Slot]:
        """Return the slots of *span* up to *now*, one after the other, empty ones too."""
        found = self._slots(SPANS.index(span))
        last = int(now // MINUTE) // span.minutes
        first = last - span.slots + 1
        earlier = [slot for number, slot in found.items() if number < first]
        left = earlier[-1].left if earlier else 0
        series = []
        for number in range(first, last + 1):
            # As many wait as before, where nothing was written.
            slot = found.get(number) or Slot(number * span.minutes, waiting=left, left=left)
            left = slot.left
            series.append(slot)
        return series

    def _put_away(self, slot: Slot, minute: int) -> None:
        """Put *slot* into the rings in which it is over when *minute* begins."""
        for ring, span, wider in zip(self._rings, SPANS, (*SPANS[1:], None), strict=True):
            ring.append(slot, span.slots)
            if wider is None or slot.minute // wider.minutes == minute // wider.minutes:
                return
            number = slot.minute // wider.minutes
            slot = _sum(ring, wider)[number]

    def _slots(self, level: int) -> dict[int, Slot]:
        """Return the slots of a span by their numbers; the last one is not over."""
        span = SPANS[level]
        found = _sum(self._rings[level], span)
        if self._present:
            present = Slot(*self._present)
            finer = self._slots(level - 1).values() if level else (present,)
            number = present.minute // span.minutes
            found[number] = _sum(finer, span)[number]
        return found


def _sum(slots: Iterable[Slot], span: Span) -> dict[int, Slot]:
    """Return *slots* as those of *span*, by their numbers."""
    found: dict[int, Slot] = {}
    for slot in slots:
        number = slot.minute // span.minutes
        found[number] = found.get(number, Slot(number * span.minutes)).plus(slot)
    return found


def _slot_of(minute: int, ended: Iterable[EndedAttempt], waiting: int, late: float) -> Slot:
    attempts = list(ended)
    shelves = Counter(attempt.shelf for attempt in attempts)
    failed = sum(shelves[shelf] for shelf in BROKEN)
    return Slot(
        minute,
        shelves[TASK_STATUS_FINISHED],
        failed,
        shelves[None],
        waiting,
        waiting,
        round(late, 1),
        _steps(attempt.seconds for attempt in attempts),
        _steps(attempt.waited for attempt in attempts),
        _steps(attempt.committed for attempt in attempts),
    )


def _added(first: Steps, second: Steps) -> Steps:
    return tuple(sorted((Counter(dict(first)) + Counter(dict(second))).items()))


def _steps(durations: Iterable[float | None]) -> Steps:
    known = Counter(_step(seconds) for seconds in durations if seconds is not None)
    return tuple(sorted(known.items()))


def _step(seconds: float) -> int:
    return int(math.log2(max(seconds, LEAST_SECONDS) / LEAST_SECONDS) * DOUBLED)


SCHEMA = Schema("figures", 1, Figures)


def figures_of(connection: Connection) -> Figures:
    """Return the figures of the database of *connection*."""
    return SCHEMA.get(connection)
