"""Moved classes: the paths under which databases have them, and where they are now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ZODB import DB

from scheduler.storage.internals import find_classes_by, for_each_connection

StoredPath = tuple[str, str]
"""The module and the name under which a class, or a function, is stored."""

MOVED: dict[StoredPath, StoredPath] = {
    ("daemon.packing", "PackingRecord"): ("daemon.maintenance.packing", "PackingRecord"),
    ("scheduler.audit.conflict_stats", "ConflictStats"): (
        "scheduler.shelves.conflict_stats",
        "ConflictStats",
    ),
    ("scheduler.log.append_log", "Segment"): ("scheduler.log.segment", "Segment"),
    ("scheduler.log.append_log", "SegmentLeaf"): ("scheduler.log.segment", "SegmentLeaf"),
    ("scheduler.log.append_log", "SegmentPage"): ("scheduler.log.segment", "SegmentPage"),
    ("scheduler.log.append_log", "SegmentPages"): ("scheduler.log.segment", "SegmentPages"),
    ("scheduler.retry", "Retry"): ("scheduler.tasks.retry", "Retry"),
    ("livesync.track.pointer", "Tail"): ("livesync.track.pointer", "TrackEnd"),
    ("livesync.track.track", "ListMultiPointerTrack"): (
        "livesync.track.list_track",
        "ListMultiPointerTrack",
    ),
    ("livesync.track.track", "SetMultiPointerTrack"): (
        "livesync.track.set_track",
        "SetMultiPointerTrack",
    ),
}
"""The present path of each stored class that has moved, by each path that it had before.

No entry is ever removed: old revisions keep old paths. If a class moves again, its earlier entries
get the new path too.
"""


def current_path(module: str, name: str) -> StoredPath:
    """Return where the class is now that is stored as *name* of *module*."""
    return MOVED.get((module, name), (module, name))


def current_name(name: str) -> str:
    """Return the present form of a stored name `module:class`."""
    module, separator, attribute = name.partition(":")
    return separator.join(current_path(module, attribute)) if separator else name


def first_path(cls: type) -> StoredPath:
    """Return the path that *cls* had first, which no move changes."""
    present = (cls.__module__, cls.__qualname__)
    return next((old for old, new in MOVED.items() if new == present), present)


def install(database: DB) -> None:
    """Make *database* and its open connections find moved classes; repeated calls cost nothing."""
    if isinstance(database.classFactory, _ClassFinder):
        return
    finder = _ClassFinder(database.classFactory)
    database.classFactory = finder
    for_each_connection(database, finder.serve)


class _ClassFinder:
    """The class factory of a database, with the table before it."""

    def __init__(self, find: Callable[[Any, str, str], Any]) -> None:
        self._find = find

    def __call__(self, connection: Any, module: str, name: str) -> Any:
        return self._find(connection, *current_path(module, name))

    def serve(self, connection: Any) -> None:
        """Give *connection*, which has its reader already, this factory."""
        find_classes_by(connection, self)
