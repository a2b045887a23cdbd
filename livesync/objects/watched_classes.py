"""The watched classes of a database: stored in it, so that they are watched in every process."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import u64

from livesync.errors import WatchException
from livesync.objects.watched_class import WatchedClass, present_name
from scheduler.store.observed import PART
from scheduler.store.schema import Schema

OWN_PACKAGES = {
    *("scheduler", "livesync", "export", "daemon"),
    *("BTrees", "persistent", "ZODB", "builtins", "zope"),
}
"""The packages of which no class is one of an application under another name."""


class WatchedClasses(Persistent):
    """The watched classes by name, and what records their changes.

    Conflict behaviour: written seldom; of two concurrent writers one repeats.
    """

    observer = "livesync.capture.recorder:Recorder"
    token: str
    """A text that no other database has, by which the metadata of commits tell databases apart."""

    def __init__(self) -> None:
        self._classes: dict[str, WatchedClass] = {}
        self.token = secrets.token_hex(4)

    def __iter__(self) -> Iterator[WatchedClass]:
        return iter(sorted(self._classes.values()))

    def get(self, name: str) -> WatchedClass | None:
        """Return how the class *name* is watched; None if it is not."""
        return self._classes.get(name)

    def put(self, watched: WatchedClass) -> None:
        """Watch as *watched* says, from now on; WatchException for an address that is taken."""
        for each in self:
            if watched.address and each.address == watched.address and each.name != watched.name:
                raise WatchException(
                    f"{watched.name} cannot be at /export/{watched.address}, where {each.name} is: "
                    "give one of them another address"
                )
        self._classes = {**self._classes, watched.name: watched}

    def remove(self, *names: str) -> None:
        """Watch the classes of these *names* no more."""
        self._classes = {key: kept for key, kept in self._classes.items() if key not in names}


SCHEMA = Schema(PART, 1, WatchedClasses)


class WatchTable:
    """The watched classes as of one transaction (*serial*), found by the classes of objects."""

    def __init__(self, serial: int, classes: Iterable[WatchedClass], token: str = "") -> None:
        self.serial = serial
        self.token = token
        self.classes = tuple(classes)
        self._by_name = {present_name(each.name): each for each in self.classes}
        self._known: dict[type, tuple[WatchedClass, bool] | None] = {}

    def of(self, kind: type) -> WatchedClass | None:
        """Return what says how *kind* is watched, by itself or as a subclass; None for not."""
        found = self._find(kind)
        return None if found is None else found[0]

    def named(self, name: str) -> WatchedClass | None:
        """Return what says how the class stored as *name* is watched by itself; None for not."""
        return self._by_name.get(present_name(name))

    def of_kind(self, kind: str) -> WatchedClass | None:
        """Return the class whose objects are called *kind* in records."""
        return next((each for each in self.classes if each.kind == kind), None)

    def at(self, address: str) -> WatchedClass | None:
        """Return the class whose objects are at /export/*address*; None for no such class."""
        found = (each for each in self.classes if each.address == address != "")
        return next(found, None)

    @staticmethod
    def is_own(name: str) -> bool:
        """Say whether no class of an application is stored as *name*."""
        return name.partition(":")[0].partition(".")[0] in OWN_PACKAGES

    def kind(self, kind: type) -> str | None:
        """Return what objects of *kind* are called, if that is a watched class by itself."""
        found = self._find(kind)
        return None if found is None or not found[1] else found[0].kind

    def _find(self, kind: type) -> tuple[WatchedClass, bool] | None:
        if not self.classes:
            return None
        if kind not in self._known:
            self._known[kind] = self._by_names(kind) or self._by_classes(kind)
        return self._known[kind]

    def _by_names(self, kind: type) -> tuple[WatchedClass, bool] | None:
        for base in kind.__mro__:
            found = self.named(f"{base.__module__}:{base.__qualname__}")
            if found is not None:
                return found, base is kind
        return None

    def _by_classes(self, kind: type) -> tuple[WatchedClass, bool] | None:
        """Return what is found if watched classes are known by other names than they have."""
        if all(self.is_own(base.__module__) for base in kind.__mro__):
            return None
        resolved = {each.resolve(): each for each in self.classes}
        return next(
            ((resolved[base], base is kind) for base in kind.__mro__ if base in resolved), None
        )


NO_CLASSES = WatchTable(0, ())

_newest: WeakKeyDictionary[DB, WatchTable] = WeakKeyDictionary()


def table_of(connection: Connection) -> WatchTable:
    """Return the classes that are watched in the database of *connection*.

    Classes that were entered since the transaction began count as well, as far as they are known
    in this process.
    """
    visible = _visible(connection)
    known = _newest.get(connection.db())
    if known is None or known.serial < visible.serial:
        _newest[connection.db()] = known = visible
    return known


def _visible(connection: Connection) -> WatchTable:
    if not SCHEMA.exists(connection):
        return NO_CLASSES
    stored = SCHEMA.get(connection)
    stored._p_activate()
    serial = u64(stored._p_serial)
    table: WatchTable | None = getattr(stored, "_v_table", None)
    if table is None or table.serial != serial:
        table = WatchTable(serial, stored, stored.token)
        stored._v_table = table  # noqa: SLF001 (volatile: read once in each connection)
    return table


def watch_of(obj: Any) -> WatchedClass | None:
    """Return how the class of *obj* is watched in its database; None if it is not, or in none."""
    table = _table_for(obj)
    return None if table is None else table.of(type(obj))


def watched_kind(obj: Any) -> str | None:
    """Return what *obj* is called, if its class itself is watched: the name it was entered by."""
    table = _table_for(obj)
    return None if table is None else table.kind(type(obj))


def _table_for(obj: Any) -> WatchTable | None:
    connection = obj._p_jar if isinstance(obj, Persistent) else None
    return None if connection is None or connection.opened is None else table_of(connection)
