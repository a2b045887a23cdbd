"""Stored objects that cannot be read as they were written: their class, or a value, is gone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from traceback import walk_tb
from typing import Any

from persistent import Persistent
from ZODB.broken import Broken, PersistentBroken, persistentBroken
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError, StateLoadError
from ZODB.serialize import ObjectReader
from ZODB.utils import u64

from scheduler.storage.internals import cache_of, record_of
from scheduler.store.import_fault import import_fault
from scheduler.values.extras import missing_extra

UNREADABLE = (StateLoadError, POSKeyError)
"""Exceptions that the loading of a damaged or missing object raises."""


def forget_broken(obj: Any) -> None:
    """Drop *obj*, if it is broken, from the cache: its class may exist when it is next loaded."""
    # The cache would give the same object as long as anybody refers to it.
    if isinstance(obj, PersistentBroken):
        cache = cache_of(obj._p_jar)
        if cache.get(obj._p_oid) is obj:
            del cache[obj._p_oid]


def why_unusable(obj: Any) -> str:
    """Return why *obj*, which should be a task, cannot be run."""
    kind = type(obj)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(obj, PersistentBroken):
        if issubclass(kind, _NoClass):
            return f"{name} is no class of persistent objects any more"
        fault = import_fault(kind.__module__, kind.__qualname__)
        return f"the class {name} cannot be imported: {fault}"
    return f"{name} is no class of tasks"


def reason_of(error: BaseException) -> str:
    """Return a description of *error* in one line; never an empty text."""
    if isinstance(error, StateLoadError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ImportError) and missing_extra(error):
        return missing_extra(error)
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 (the text of an error is code of the application)
        text = ""
    return f"{name}: {text}" if text else name


def unreadable_object(error: BaseException) -> str:
    """Return the id and class of the object whose loading raised *error*."""
    obj = loaded_object(error)
    return "an object" if obj is None else described(obj)


def loaded_object(error: BaseException) -> Persistent | None:
    """Return the object whose loading raised *error*; None if that is not known."""
    # A StateLoadError does not name its object: the frame of ZODB that loaded it does.
    frames = (frame.f_locals for frame, _ in walk_tb(error.__traceback__))
    loaded = [names["obj"] for names in frames if isinstance(names.get("obj"), Persistent)]
    return loaded[-1] if loaded else None


def described(obj: Persistent) -> str:
    """Return the id and class of *obj*."""
    kind = type(obj)
    number = "" if obj._p_oid is None else f" {u64(obj._p_oid):#x}"
    return f"object{number} ({kind.__module__}.{kind.__qualname__})"


EXITS = (SystemExit, GeneratorExit)
"""Exceptions that code of the application may raise, which would end the process of the caller."""


class _NoClass(Broken):
    """Base of the classes that stand for stored classes which are no persistent ones now."""


class Reader(ObjectReader):
    """Loads objects as broken ones if their class has become a function or a plain class.

    ZODB makes broken objects only of classes that cannot be imported. For others it raises an
    error, and so nothing that refers to such an object could be read.
    """

    def load_persistent(self, oid: bytes | str, kind: Any) -> Any:
        """Return the object *oid* of the class *kind*, from the cache or as a ghost."""
        if isinstance(kind, tuple):
            kind = self._get_class(*kind)
        return super().load_persistent(oid, kind if _is_persistent(kind) else _no_class(kind))

    def getGhost(self, record: bytes) -> Any:
        """Return the object of *record* without its state."""
        found = self._get_unpickler(record).load()
        kind = found[0] if isinstance(found, tuple) else found
        if isinstance(kind, tuple):
            kind = self._get_class(*kind)
        if _is_persistent(kind):
            return super().getGhost(record)
        broken = persistentBroken(_no_class(kind))
        return broken.__new__(broken)

    def getState(self, record: bytes) -> Any:
        """Return the state of *record*; an exit in a class of the application is a failure."""
        try:
            return super().getState(record)
        except EXITS as error:
            raise StateLoadError from error

    def setGhostState(self, obj: Any, record: bytes) -> None:
        """Give *obj* the state of *record*; an exit in its class is a failure."""
        try:
            super().setGhostState(obj, record)
        except EXITS as error:
            raise StateLoadError from error


def _is_persistent(kind: Any) -> bool:
    # A class of persistent classes is a subclass of `type`.
    return isinstance(kind, type) and (hasattr(kind, "_p_jar") or issubclass(kind, Broken | type))


def _no_class(found: Any) -> type[Broken]:
    if hasattr(found, "__qualname__"):
        return _no_class_named(found.__module__ or "builtins", found.__qualname__)
    return _no_class_named(type(found).__module__, f"{type(found).__name__}()")


@cache
def _no_class_named(module: str, name: str) -> type[Broken]:
    return type(name, (_NoClass,), {"__module__": module})


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
    reader = Reader(connection, cache_of(connection), _tolerant)
    return reader.getState(record_of(obj))


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
        except (Exception, *EXITS) as error:  # noqa: BLE001 (code of the application)
            return Unreadable(reason_of(error))

    # A class, as the format of pickles calls its `__new__`.
    return type(name, (), {"__module__": module, "__new__": attempt})


def _is_before(self: Any, other: object) -> Any:
    if not isinstance(other, Persistent) or self._p_oid is None or other._p_oid is None:
        return NotImplemented
    return self._p_oid < other._p_oid


# Elements of one moment are ordered in a queue; ZODB gives objects without a class no order.
PersistentBroken.__lt__ = _is_before
