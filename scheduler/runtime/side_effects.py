"""Side effects of tasks outside the database: their idempotency keys, and their holding back.

A dry run holds them back and lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple


class HeldEffect(NamedTuple):
    """A side effect that was held back: its kind ("mail", "HTTP", ...), and a text."""

    kind: str
    what: str


class IdempotencyKeys:
    """The idempotency keys of the side effects of one attempt at *task*, one after the other.

    A key is made of the task, the occurrence and the number of the call: it is the same in each
    attempt of an occurrence, and another one for each call and each occurrence. An attempt that
    goes on behind a checkpoint counts on from the number *used* up to there.
    """

    def __init__(self, task: Any, used: int = 0) -> None:
        self._task = task
        self.used = used

    def next(self) -> str:
        """Return the key of the next side effect."""
        self.used += 1
        return f"{self._task.getIdempotencyKey()}-{self.used}"


_held: ContextVar[list[HeldEffect] | None] = ContextVar("held", default=None)


@contextmanager
def hold_back() -> Iterator[list[HeldEffect]]:
    """Hold back the side effects inside the block that ask `is_held`; give their list."""
    held: list[HeldEffect] = []
    token = _held.set(held)
    try:
        yield held
    finally:
        _held.reset(token)


def is_holding() -> bool:
    """Return whether side effects are held back now."""
    return _held.get() is not None


def is_held(kind: str, what: str) -> bool:
    """Return whether *what* is held back, and must not be done; it is listed then.

    Ask it before each side effect.
    """
    held = _held.get()
    if held is None:
        return False
    held.append(HeldEffect(kind, what))
    return True
