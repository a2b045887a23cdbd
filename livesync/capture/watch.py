"""Watching: code names the classes, and each database of the process keeps them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from persistent import Persistent
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import ReadOnlyError, StorageError
from ZODB.utils import u64

from livesync.capture.survey import survey
from livesync.errors import IdentifyException, LiveSyncException, WatchException
from livesync.feed.manager import SyncManager
from livesync.objects.object_index import SCHEMA as OBJECTS
from livesync.objects.object_index import ObjectIndex
from livesync.objects.object_model import own_id
from livesync.objects.watched_class import Identify, WatchedClass
from livesync.objects.watched_classes import SCHEMA, WatchedClasses, table_of
from scheduler.errors import NoConnectionError, StoreException
from scheduler.store import current, has_changes, transact
from scheduler.store.moved import install as find_moved
from scheduler.store.observed import databases, name_observer, observe, on_open
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import read_view
from scheduler.store.snapshot import reading_storage

log = logging.getLogger(__name__)

SURVEYED_AT_ONCE = 20_000
"""The objects in a database that is looked through at once for those of a newly exposed class."""

_watched: dict[str, WatchedClass] = {}
"""The classes that code of this process watches, by their names."""
_lock = Lock()


def default_id(obj: Persistent) -> str:
    """Return the id that *obj* has of its own, else the number of its place in the database."""
    return own_id(obj) or str(u64(obj._p_oid))


def watch(*classes: type[Persistent], identify: Identify | str = default_id) -> None:
    """Record all commits that store objects of these *classes*, or of subclasses.

    *identify*, a function of a module or its name `module:function`, returns the id under which
    an object is known outside. The classes are kept in each database that this process has open
    or opens from now on, and so watched there in all processes, also after this one. Raises
    WatchException for what cannot be watched so, and for a class that is watched otherwise.
    """
    function = None if identify is default_id else identify
    declare([WatchedClass.of(each, function) for each in classes])


def declare(wanted: list[WatchedClass]) -> None:
    """Watch *wanted* in each database that this process has open, or opens from now on.

    Raises WatchException for a class that is watched otherwise, and for an address that is taken.
    """
    with _lock:
        for each in wanted:
            _refuse_another(each)
        for database in databases():
            if not database.storage.isReadOnly():
                enter(database, wanted)
        _watched.update((each.name, each) for each in wanted)
    on_open(enter_watched)


def unwatch(*classes: type[Persistent]) -> None:
    """Record commits of these *classes* no more; without any, of all that `watch` was called for.

    They are removed from each database that this process has open.
    """
    with _lock:
        names = [f"{each.__module__}:{each.__qualname__}" for each in classes] or list(_watched)
        for name in names:
            _watched.pop(name, None)
    for database in databases():
        remove(database, names)


def install(database: DB) -> None:
    """Have all connections of *database* record changes of watched classes, open ones as well.

    It is for a `ZODB.DB` that an application has opened by itself, at once after that: databases
    of `scheduler.store`, and those whose connection was given to any call of this software, do so
    anyway. Raises NotObserved where the class of its connections does not allow it.
    """
    find_moved(database)
    observe(database)


def enter_watched(database: DB) -> None:
    """Enter what code of this process watches into *database*, where that says otherwise.

    A database that cannot be written now is entered when it is opened next.
    """
    with _lock:
        wanted = list(_watched.values())
    try:
        enter(database, wanted)
    except ReadOnlyError:
        log.debug("the watched classes are not entered in %s: it is read-only", database.getName())
    except (StorageError, StoreException, TransientError, LiveSyncException):
        log.exception("the watched classes are not entered in %s", database.getName())


def enter(database: DB, wanted: list[WatchedClass]) -> None:
    """Enter *wanted* into *database*; nothing is written where it has them all."""
    with read_view(database) as view:
        known = {each.name: each for each in table_of(view).classes}
    former = {name: known.get(name) for name in (each.name for each in wanted)}
    if all(was is not None and was._replace(since=0) in wanted for was in former.values()):
        return
    _change(database, lambda stored: _put(stored, wanted), "watch")
    if any(each.fossil and not _is_exposed(former[each.name]) for each in wanted):
        try:
            _find_former(database)
        except IdentifyException:
            _change(database, lambda stored: _put_back(stored, former), "watch as before")
            raise


def _is_exposed(watched: WatchedClass | None) -> bool:
    return watched is not None and bool(watched.fossil)


def _put_back(stored: WatchedClasses, former: dict[str, WatchedClass | None]) -> None:
    for name, watched in former.items():
        if watched is None:
            stored.remove(name)
        else:
            stored.put(watched)


def _find_former(database: DB) -> None:
    """Enter the objects of exposed classes that there are already, where that is done at once."""
    with reading_storage(database) as storage:
        size = len(storage)
    if size <= SURVEYED_AT_ONCE:
        survey(database)
    else:
        log.warning(
            "objects of exposed classes that were made before are not known in %s, of %d objects: "
            "run `indico_livesync survey`",
            *(database.getName(), size),
        )


def remove(database: DB, names: list[str]) -> list[str]:
    """Watch the classes of these *names* no more in *database*; return those that it had."""
    with read_view(database) as view:
        known = [each.name for each in table_of(view).classes if each.name in names]
    if known:
        _change(database, lambda stored: stored.remove(*known), "unwatch")
    return known


def _change(database: DB, change: Callable[[WatchedClasses], object], note: str) -> None:
    def work(connection: Connection) -> None:
        SyncManager.getDBInstance(connection)
        change(SCHEMA.get(connection))

    transact(database, work, note=f"livesync: {note}")
    name_observer(database, WatchedClasses.observer)
    with read_view(database) as view:
        table_of(view)  # from now on it counts for transactions that began before
    with suppress(NoConnectionError):
        _move_on(current(), database)


def _move_on(connection: Connection, database: DB) -> None:
    # Otherwise a first change of the root would conflict with what was just stored.
    if connection.db() is database and not has_changes(connection):
        connection.newTransaction(None)


def _put(stored: WatchedClasses, wanted: list[WatchedClass]) -> None:
    since = snapshot_of(stored._p_jar)
    for each in wanted:
        known = stored.get(each.name)
        if each.fossil:
            OBJECTS.get(stored._p_jar).setdefault(each.name, ObjectIndex())
        if known is None:
            stored.put(each._replace(since=since))
        elif known._replace(since=0) != each:
            log.warning("watched class %s: from now on %s, before %s", each.name, each, known)
            stored.put(each._replace(since=known.since))


def _refuse_another(wanted: WatchedClass) -> None:
    known = _watched.get(wanted.name, wanted)
    if known != wanted:
        raise WatchException(
            f"{wanted.name} is watched already, identified by {known.identify or 'its own id'}"
            f"{f' and shown by {known.fossil}' if known.fossil else ''}: leave out one of the two "
            "calls, or call unwatch before"
        )
