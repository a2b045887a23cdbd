"""Results of runs: small ones stand in their task, others in an object of their own."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

from persistent import Persistent

from scheduler.store.sealed_value import opened

SMALL_LENGTH = 500
SMALL_COUNT = 20
SCALARS = (int, float, date, time, timedelta, Persistent, type(None))


class KeptResult(Persistent):
    """A result that may be big: it is loaded when it is asked for, not with its task."""

    def __init__(self, value: Any) -> None:
        self.value = value


def kept(value: Any) -> Any:
    """Return what is to be stored in the task whose run returned *value*."""
    return value if is_small(value) else KeptResult(value)


def unkept(stored: Any) -> Any:
    """Return the value that was stored as *stored*. Raises SecretUnreadable without its key."""
    return opened(stored.value if isinstance(stored, KeptResult) else stored)


def is_small(value: Any) -> bool:
    """Say whether *value* takes so little that it stands in the record of its task."""
    if isinstance(value, dict):
        return len(value) <= SMALL_COUNT and all(map(_is_plain, (*value, *value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return len(value) <= SMALL_COUNT and all(map(_is_plain, value))
    return _is_plain(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= SMALL_LENGTH
    return isinstance(value, SCALARS)
