"""The capture check compares what was committed with what was recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

from ZODB import DB
from ZODB.utils import p64, u64

from livesync.capture.escapes import REMEDY, SCHEMA, Escape
from livesync.capture.recorder import mark_of
from livesync.objects.watched_class import WatchedClass
from livesync.objects.watched_classes import WatchTable, table_of
from scheduler.errors import NoHistory
from scheduler.log.segment import Segment, SegmentLeaf, SegmentPage, SegmentPages
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store import transact
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import read_view
from scheduler.store.stored_state import class_of
from scheduler.values.named_object import named_object

log = logging.getLogger(__name__)

NOTED_EVERY = 600 * 2**32 // 60
"""How far, in units of transaction ids, a check may get before that is stored: ten minutes."""

LOGS = {
    (each.__module__, each.__name__) for each in (Segment, SegmentLeaf, SegmentPage, SegmentPages)
}


class CaptureCheck:
    """The check of the commits of *database*, each once.

    A commit tells in its metadata by which watched classes it was recorded, so of most only that
    is read; of the others it is looked at whose objects they stored.
    """

    def __init__(self, database: DB) -> None:
        self._database = database
        self._checked = 0
        self._is_logged = False

    def alarm(self) -> None:
        """Check, and log each new escape; once, if the storage does not allow to check."""
        try:
            for escape in self.check():
                log.error("%s; %s", escape, REMEDY)
        except NoHistory as error:
            if not self._is_logged:
                log.warning("%s", error)
            self._is_logged = True

    def check(self) -> list[Escape]:
        """Check what was committed since; keep and return the escaped changes that are new.

        Raises NoHistory where the storage does not tell of its transactions.
        """
        with read_view(self._database) as view:
            table, end = table_of(view), snapshot_of(view)
            noted = SCHEMA.get(view).checked if SCHEMA.exists(view) else 0
        first = min((each.since for each in table.classes), default=end)
        start = max(self._checked, noted, first)
        found: list[Escape] = []
        if start < end:
            self._refuse_without_history()
            found = list(_escapes(self._database.storage, table, start, end))
        if found or end - max(noted, first) > NOTED_EVERY:
            found = transact(
                self._database,
                lambda own: SCHEMA.get(own).add(found, end),
                note="livesync: capture checked",
            )
        self._checked = end
        return found

    def _refuse_without_history(self) -> None:
        if not self._database.supportsUndo():
            raise NoHistory(
                f"whether changes of watched classes escape is not checked: the database "
                f"{self._database.getName()} keeps no history; use a FileStorage, or PostgreSQL "
                "with keep_history=true"
            )


def _escapes(storage: Any, table: WatchTable, start: int, end: int) -> Iterator[Escape]:
    mark = mark_of(table.token)
    for unit in stored_transactions(storage, p64(start + 1), p64(end)):
        tid, recorded_by = u64(unit.tid), unit.extension.get(mark, 0)
        due = {each for each in table.classes if recorded_by <= each.since < tid}
        objects = tuple(_stored(unit, table, due)) if due else ()
        if objects:
            yield Escape(tid, _text(unit.user), _text(unit.description), objects)


def _stored(unit: Any, table: WatchTable, due: set[WatchedClass]) -> Iterator[tuple[int, str]]:
    """Yield the objects of the classes that are *due* which the transaction has stored."""
    records = [(record, class_of(record.data)) for record in unit]
    if any(record.data_txn and path in LOGS for record, path in records):
        return  # an undo, by which what was recorded is taken back too
    for record, path in records:
        watched = watched_as(table, ":".join(path))
        if watched in due:
            yield u64(record.oid), ".".join(path)


def watched_as(table: WatchTable, name: str) -> WatchedClass | None:
    """Return how the class stored as *name* is watched, by itself or as a subclass."""
    found = table.named(name)
    if found is None and not table.is_own(name):
        kind = _class(name)
        found = None if kind is None else table.of(kind)
    return found


@cache
def _class(name: str) -> type | None:
    try:
        found = named_object(name)
    except Exception as error:  # noqa: BLE001 (importing runs code of the application)
        log.warning(
            "whether %s is a subclass of a watched class is not known, as it cannot be imported: "
            "%s: %s",
            name,
            type(error).__name__,
            error,
        )
        return None
    return found if isinstance(found, type) else None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
