"""Sizes: how much of the database arguments and results take, measured without storing them."""

from __future__ import annotations

import pickle
from types import FunctionType
from typing import Any

from persistent import Persistent

from scheduler.errors import TooLarge
from scheduler.tasks.result import is_small

MB = 1_000_000


class _ByteCount:
    """A file that only counts what is written to it; TooLarge beyond *limit* bytes."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.size = 0

    def write(self, data: Any) -> None:
        self.size += len(data)
        if self.size > self._limit:
            raise TooLarge


class ScriptError(TypeError):
    """A class or function of `__main__` is to be stored, which no worker can import."""


class _Measure(pickle.Pickler):
    """Pickles values as the database does; persistent objects are records of their own."""

    def persistent_id(self, obj: Any) -> Any:
        refuse_script(obj)
        return id(obj) if isinstance(obj, Persistent) else None


def size_of(value: Any, limit: float = float("inf")) -> int:
    """Return how many bytes *value* takes as it is stored; nothing is kept of it meanwhile.

    Raises TooLarge beyond *limit* bytes, and whatever pickling raises for what cannot be stored.
    """
    count = _ByteCount(limit)
    _Measure(count).dump(value)
    return count.size


def refuse_large(value: Any, what: str, limit: float) -> None:
    """Raise TooLarge where *value* takes more than *limit* MB; 0 stands for no limit.

    Whether it can be stored at all is left to the commit. *what* it is stands in the text.
    """
    if not limit or is_small(value):
        return
    try:
        size_of(value, limit * MB)
        return
    except TooLarge:
        pass  # and told here with what it is
    except ScriptError:
        raise
    except Exception:  # noqa: BLE001 (the commit tells)
        return
    refuse(what, limit)


def refuse_script(obj: Any) -> None:
    """Raise ScriptError, a TypeError, where *obj*, or its class, is one of `__main__`."""
    owner = obj if isinstance(obj, type | FunctionType) else type(obj)
    if owner.__module__ == "__main__":
        raise ScriptError(
            f"{owner.__qualname__} is defined in the script that runs: move it to a module that "
            "workers import"
        )


def refuse(what: str, limit: float) -> None:
    """Raise TooLarge: *what* takes more than *limit* MB."""
    raise TooLarge(
        f"{what} takes more than {limit:g} MB: keep large data in a blob (ZODB.blob.Blob), which "
        "is stored as a file, or set a higher task_max_size"
    )
