"""What a task does outside the database: held back, and noted, while a run is only tried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class HeldEffect(NamedTuple):
    """What a run would have done outside: of what kind ("mail", "HTTP", ...), and a text."""

    kind: str
    what: str


_held: ContextVar[list[HeldEffect] | None] = ContextVar("held", default=None)


@contextmanager
def hold_back() -> Iterator[list[HeldEffect]]:
    """Hold back, inside the block, what asks `is_held`; give the list of it."""
    held: list[HeldEffect] = []
    token = _held.set(held)
    try:
        yield held
    finally:
        _held.reset(token)


def is_holding() -> bool:
    """Say whether things are held back now."""
    return _held.get() is not None


def is_held(kind: str, what: str) -> bool:
    """Say whether *what* must not be done now; it is noted then.

    To be asked by whatever sends, posts or writes something outside the database.
    """
    held = _held.get()
    if held is None:
        return False
    held.append(HeldEffect(kind, what))
    return True
