"""The change feed of one reader: what was recorded behind a transaction, as the reader may see it.

A reader has no pointer: it shows the transaction up to which it knows all. Changes come in the
order of commits, at most one for each object and transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from itertools import groupby
from typing import Any, NamedTuple

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from export.model.catalogue import SCHEMA as CATALOGUE
from livesync.feed.manager import SyncManager
from livesync.objects.object_model import (
    KINDS,
    is_detached,
    is_lost,
    kind_of,
    may_see,
    parts,
    unique_id,
)
from livesync.objects.watched_classes import table_of
from livesync.records.change_filter import EVERYTHING, ChangeFilter
from livesync.track import journal
from livesync.track.action import CASCADING, ActionWrapper, identity, recorded
from scheduler.store import using
from scheduler.store.history import keeps_history, past_view
from scheduler.store.overlay import snapshot_of

DELETED, CREATED, CHANGED = "deleted", "created", "changed"

LOOKED_AT = 10_000
"""How many transactions are looked at for one page."""


class PulledChange(NamedTuple):
    """The change of one object in one transaction, for one reader."""

    tid: int
    kind: str
    obj_id: str
    status: str
    """created, changed, or deleted: what cannot be seen any more, or is not wanted any more."""

    actions: tuple[str, ...]
    obj: Any
    """The object as it is now; None for a deletion."""


@dataclass
class _Recorded:
    """The recorded actions on one object in one transaction."""

    kind: str
    obj_id: Any
    references: list[Callable[[], Any]] = field(default_factory=list)
    """The references to the object: several, where another one has taken its place and id."""

    actions: set[str] = field(default_factory=set)

    def objects(self) -> list[Any]:
        """Return the objects that had the id, the one still in place first."""
        found = {id(obj): obj for obj in (reference() for reference in self.references)}
        return sorted(found.values(), key=is_detached)


@dataclass(frozen=True)
class PulledPage:
    """Some changes; all up to transaction `tid` are told, and there are no more if it `is_last`."""

    changes: list[PulledChange]
    tid: int
    is_last: bool


class ChangeReader:
    """The feed as *user* may see it, in the snapshot of *connection*."""

    def __init__(
        self, connection: Connection, user: str | None, wanted: ChangeFilter | None = None
    ) -> None:
        self._connection = connection
        self._user = user
        self._wanted = wanted or EVERYTHING
        self._manager = SyncManager.getDBInstance(connection)
        self._sees_all = CATALOGUE.exists(connection) and bool(
            CATALOGUE.get(connection).root.canModify(user)
        )

    @property
    def horizon(self) -> int:
        """The transaction up to which changes may be gone."""
        return journal.SCHEMA.get(self._connection).horizon

    def page(self, tid: int, limit: int) -> PulledPage:
        """Return the changes behind transaction *tid*: about *limit*, of whole transactions."""
        told: list[PulledChange] = []
        last = tid
        for count, (number, found) in enumerate(self._transactions(tid)):
            if len(told) >= limit or count == LOOKED_AT:
                return PulledPage(told, last, is_last=False)
            told += self._told(number, found)
            last = number
        return PulledPage(told, max(tid, snapshot_of(self._connection)), is_last=True)

    def _transactions(self, tid: int) -> Iterator[tuple[int, dict[Any, _Recorded]]]:
        kept = journal.SCHEMA.get(self._connection)
        pending = [
            (number, entry)
            for number, entry in self._manager.unsequenced_by_commits()
            if number is not None and number > tid
        ]
        pending.sort(key=lambda one: one[0])
        every = merge(kept.behind(tid), pending, key=lambda one: one[0])
        for number, entries in groupby(every, key=lambda one: one[0]):
            yield number, self._found(entry for _, entry in entries)

    def _found(self, entries: Iterator[tuple[Any, ...]]) -> dict[Any, _Recorded]:
        found: dict[Any, _Recorded] = {}
        for entry in entries:
            _, action = recorded(entry)
            if not isinstance(action, ActionWrapper):
                continue
            key, obj = (action.kind, action.mark), action.getObject()
            of_one = found.setdefault(key, _Recorded(action.kind, action.getObjectId()))
            of_one.references.append(action.getObject)
            of_one.actions |= action.getActions()
            if action.kind in KINDS and action.getActions() & CASCADING and not is_lost(obj):
                self._add_parts(found, obj, action.getActions() & CASCADING)
        return found

    def _add_parts(self, found: dict[Any, _Recorded], obj: Any, actions: set[str]) -> None:
        for part in parts(obj):
            kind, obj_id = kind_of(part), unique_id(part)
            mark = identity(part) if obj_id is None else obj_id
            of_one = found.setdefault((kind, mark), _Recorded(kind, obj_id))
            of_one.references.append(partial(_same, part))
            of_one.actions |= actions

    def _told(self, tid: int, found: dict[Any, _Recorded]) -> Iterator[PulledChange]:
        with ExitStack() as stack:
            earlier: list[Connection | None] = []
            for one in found.values():
                if one.obj_id is None or not self._is_public(one.kind):
                    continue
                obj, *others = one.objects()
                is_shown = self._is_shown(obj)
                if is_shown and self._wanted.wants(one.kind, obj):
                    status = CREATED if "created" in one.actions else CHANGED
                    yield self._change(tid, one, status, obj)
                    continue
                if is_shown and not (self._wanted.categories and "moved" in one.actions):
                    continue  # as little wanted as before
                if not earlier:
                    earlier.append(self._before(tid, stack))
                if any(self._was_shown(each, one, earlier[0]) for each in (obj, *others)):
                    yield self._change(tid, one, DELETED, None)

    @staticmethod
    def _change(tid: int, one: _Recorded, status: str, obj: Any) -> PulledChange:
        return PulledChange(tid, one.kind, str(one.obj_id), status, tuple(sorted(one.actions)), obj)

    def _is_public(self, kind: str) -> bool:
        """Say whether readers hear of objects of *kind*: of the catalogue, or exposed to all."""
        if kind in KINDS or self._sees_all:
            return True
        watched = table_of(self._connection).of_kind(kind)
        return watched is not None and bool(watched.fossil) and watched.agents is None

    def _is_shown(self, obj: Any) -> bool:
        return (
            obj is not None
            and not is_lost(obj)
            and not is_detached(obj)
            and not self._manager.objectExcluded(obj)
            and may_see(obj, self._user)
        )

    def _before(self, tid: int, stack: ExitStack) -> Connection | None:
        """Return a connection to the state before transaction *tid*; None without history."""
        database = self._connection.db()
        if not keeps_history(database):
            return None
        return stack.enter_context(past_view(database, tid - 1))

    def _was_shown(self, obj: Any, one: _Recorded, before: Connection | None) -> bool:
        """Say whether the reader might see it before: where that is not known, who sees all."""
        oid = obj._p_oid if isinstance(obj, Persistent) else None
        if before is None or oid is None:
            return self._sees_all and self._wanted.wants(one.kind, obj)
        with using(before):
            try:
                former = before.get(oid)
                is_seen = not is_detached(former) and may_see(former, self._user)
                is_seen = is_seen and not self._manager.objectExcluded(former)
                return is_seen and self._wanted.wants(one.kind, former)
            except POSKeyError:
                return False  # it was made by this transaction, or the state was packed away


def _same(obj: Any) -> Any:
    return obj
