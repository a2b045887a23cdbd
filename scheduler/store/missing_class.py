"""Stored objects that cannot be read as they were written: their class, or a value, is gone."""

from __future__ import annotations

from collections.abc import Callable
from traceback import walk_tb
from typing import Any

from persistent import Persistent
from ZODB.broken import PersistentBroken
from ZODB.Connection import Connection
from ZODB.POSException import StateLoadError
from ZODB.serialize import ObjectReader
from ZODB.utils import u64


def forget_broken(obj: Any) -> None:
    """Drop *obj*, if it is broken, from the cache: its class may exist when it is next loaded."""
    # The cache would give the same object as long as anybody refers to it.
    if isinstance(obj, PersistentBroken) and obj._p_jar._cache.get(obj._p_oid) is obj:
        del obj._p_jar._cache[obj._p_oid]


def why_unusable(obj: Any) -> str:
    """Return why *obj*, which should be a task, cannot be run."""
    kind = type(obj)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(obj, PersistentBroken):
        return f"the class {name} cannot be imported"
    return f"{name} is no class of tasks"


def reason_of(error: BaseException) -> str:
    """Return a description of *error* in one line; never an empty text."""
    if isinstance(error, StateLoadError) and error.__cause__ is not None:
        error = error.__cause__
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 (the text of an error is code of the application)
        text = ""
    return f"{name}: {text}" if text else name


def unreadable_object(error: BaseException) -> str:
    """Return the id and class of the object whose loading raised *error*."""
    # A StateLoadError does not name its object: the frame of ZODB that loaded it does.
    frames = (frame.f_locals for frame, _ in walk_tb(error.__traceback__))
    loaded = [names["obj"] for names in frames if isinstance(names.get("obj"), Persistent)]
    if not loaded or loaded[-1]._p_oid is None:
        return "an object"
    kind = type(loaded[-1])
    return f"object {u64(loaded[-1]._p_oid):#x} ({kind.__module__}.{kind.__qualname__})"


class Unreadable:
    """Stands for a value that cannot be read, in what `salvaged` returns; *reason* says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"<unreadable: {self.reason}>"


def salvaged(obj: Persistent) -> Any:
    """Return the stored state of *obj* with an Unreadable for each value that cannot be read.

    Raises what reading raises where the record as a whole is no record.
    """
    connection: Connection = obj._p_jar
    record, _ = connection._storage.load(obj._p_oid)
    reader = ObjectReader(connection, connection._cache, _tolerant)
    return reader.getState(record)


def _tolerant(connection: Connection, module: str, name: str) -> Any:
    found = connection.db().classFactory(connection, module, name)
    if isinstance(found, type) and issubclass(found, Persistent | PersistentBroken):
        return found
    make: Callable[..., Any] = found
    if isinstance(found, type):
        kind = found

        def make(*arguments: Any) -> Any:
            return kind.__new__(kind, *arguments)

    def attempt(_: type, *arguments: Any) -> Any:
        try:
            return make(*arguments)
        except Exception as error:  # noqa: BLE001 (whatever a class of the application raises)
            return Unreadable(reason_of(error))

    # A class, as the format of pickles calls its `__new__`.
    return type(name, (), {"__new__": attempt})


def _is_before(self: Any, other: object) -> Any:
    if not isinstance(other, Persistent) or self._p_oid is None or other._p_oid is None:
        return NotImplemented
    return self._p_oid < other._p_oid


# Elements of one moment are ordered in a queue; ZODB gives objects without a class no order.
PersistentBroken.__lt__ = _is_before
