"""Sight: whether targets may see an object, before and after a change of it.

A target has what it may see. So it must hear that something is hidden from it if, and only if,
it could see it before: of a change that hides or shows something both are recorded. A change
that hides or shows a whole branch is recorded for each object in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from export.model.catalogue import SCHEMA as CATALOGUE
from livesync.objects.exclusion import Exclusion
from livesync.objects.object_model import (
    CATEGORY,
    KINDS,
    is_detached,
    is_lost,
    kind_of,
    parts,
    unique_id,
)
from livesync.track.action import CASCADING, ActionWrapper
from livesync.track.pointer import hold
from livesync.track.track import MultiPointerTrack
from scheduler.store import using
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import side_view

# Only these can change by which categories something is excluded.
PLACING = {"moved", "deleted"}
# Functions may look at what these tell of a category; of an event, at anything.
ANNOUNCED_OF_CATEGORIES = CASCADING | {"title_changed"}


class ChangeFeed(Protocol):
    """The part of `SyncManager` that sight needs: what is recorded, and what is excluded."""

    _p_jar: Connection

    @property
    def exclusion(self) -> Exclusion:
        """The exclusion in force."""

    @property
    def stored_track(self) -> MultiPointerTrack:
        """The track without the changes that are still to be sequenced."""

    def add(self, timestamp: float, action: Any) -> None:
        """Record *action*, done at *timestamp* (Unix seconds)."""


class Sight(NamedTuple):
    """Whether targets could see an object before a change, and can after it."""

    tid: int
    """The last transaction that is seen before the change: of two changes the later has more."""

    before: bool
    after: bool


def record(
    feed: ChangeFeed,
    timestamp: int,
    obj: Any,
    obj_id: str | int | None,
    actions: set[str],
    former: Iterable[str] | None = None,
) -> None:
    """Record that *actions* happened to *obj*, unless no target could or can see it.

    *former* are the categories that it has left; None where they are not known.
    """
    action = ActionWrapper(timestamp, obj, actions, obj_id).with_former(former)
    exclusion = feed.exclusion
    if "moved" in actions:
        hold(feed)  # another exclusion may tell otherwise of all that is below
    if not _may_change_sight(exclusion, actions):
        is_seen = not exclusion or not exclusion.excludes(obj)
        if is_seen or _reaches_seen_parts(exclusion, obj, actions):
            sight = None if is_seen else Sight(snapshot_of(feed._p_jar), False, False)
            feed.add(timestamp, action.with_sight(sight))
        else:
            hold(feed)  # by another exclusion it is recorded
        return
    with side_view(feed._p_jar.db()) as view:
        committed = _Committed(feed, view)
        sight = committed.sight(obj, _is_seen(exclusion, obj, actions))
        if sight.before or sight.after or _reaches_seen_parts(exclusion, obj, actions):
            feed.add(timestamp, action.with_sight(sight))
        else:
            hold(feed)
        if _concerns_parts(exclusion, obj, actions, sight):
            seen = [(part, _is_seen(exclusion, part)) for part in _announced_parts(obj)]
            _record_changed(feed, timestamp, seen, committed)


def record_exclusion(feed: ChangeFeed, timestamp: int, former: Exclusion) -> None:
    """Record what of the catalogue is hidden, or shown, now that *former* is replaced."""
    tid = snapshot_of(feed._p_jar)
    for obj in _catalogued(feed):
        before, after = not former.excludes(obj), not feed.exclusion.excludes(obj)
        if before != after:
            _add(feed, timestamp, obj, Sight(tid, before, after))


def recheck(feed: ChangeFeed, timestamp: int, former: Exclusion, frontier: int | None) -> None:
    """Record what others did by the exclusion *former* while it was replaced.

    They may have added or moved something in a transaction that the one which replaced it did not
    see, and an agent may have told of it before that was committed. It stands on the track behind
    position *frontier* if it could be seen, and in the catalogue only if it could not.
    """
    tid = snapshot_of(feed._p_jar)
    recent: list[tuple[int, Any]] = list(feed.stored_track.iterate(frontier))
    for _, action in recent:
        for obj in _announced(action):
            if not former.excludes(obj) and feed.exclusion.excludes(obj):
                _add(feed, timestamp, obj, Sight(tid, True, False))
    shown: Iterable[Any] = _catalogued(feed) if former else ()
    for obj in shown:
        if former.excludes(obj) and not feed.exclusion.excludes(obj):
            _add(feed, timestamp, obj, Sight(tid, True, True))  # a target may know it meanwhile


def _catalogued(feed: ChangeFeed) -> Iterator[Any]:
    connection = feed._p_jar
    if CATALOGUE.exists(connection):
        for event in CATALOGUE.get(connection).events.values():
            yield event
            yield from parts(event)


def _announced(action: Any) -> Iterator[Any]:
    """Yield the objects of the catalogue, still there, that *action* announced to targets."""
    if isinstance(action, ActionWrapper) and (action.sight is None or action.sight[2]):
        obj = action.getObject()
        if kind_of(obj) in KINDS and not is_lost(obj) and not is_detached(obj):
            if kind_of(obj) != CATEGORY:
                yield obj
            yield from _announced_parts(obj)


def _may_change_sight(exclusion: Exclusion, actions: set[str]) -> bool:
    return bool(exclusion) and bool(exclusion.functions or PLACING & actions)


def _reaches_seen_parts(exclusion: Exclusion, obj: Any, actions: set[str]) -> bool:
    """Say whether what happened to *obj* concerns parts that are seen though it is not itself."""
    is_by_itself = bool(exclusion.functions or exclusion.classes)
    return is_by_itself and bool(CASCADING & actions) and kind_of(obj) in KINDS


def _concerns_parts(exclusion: Exclusion, obj: Any, actions: set[str], sight: Sight) -> bool:
    if "deleted" in actions or kind_of(obj) not in KINDS:
        return False
    if exclusion.functions:
        return kind_of(obj) != CATEGORY or bool(ANNOUNCED_OF_CATEGORIES & actions)
    return sight.before != sight.after


def _announced_parts(obj: Any) -> Iterator[Any]:
    """Yield the parts of *obj* of which targets are told."""
    return (part for part in parts(obj) if kind_of(part) in KINDS - {CATEGORY})


def _record_changed(
    feed: ChangeFeed, timestamp: int, seen: list[tuple[Any, bool]], committed: _Committed
) -> None:
    for part, is_seen in seen:
        sight = committed.sight(part, is_seen)
        if sight.before != sight.after:
            _add(feed, timestamp, part, sight)


def _add(feed: ChangeFeed, timestamp: int, obj: Any, sight: Sight) -> None:
    obj_id = unique_id(obj)
    action = ActionWrapper(timestamp, obj, {"data_changed"}, obj_id)
    feed.add(timestamp, action.with_sight(sight))


def _is_seen(exclusion: Exclusion, obj: Any, actions: set[str] = frozenset()) -> bool:  # type: ignore[assignment]
    if "deleted" in actions and ("created" not in actions or is_detached(obj)):
        return False
    return not exclusion.excludes(obj)


class _Committed:
    """The database as it was before the transaction in which something changes."""

    def __init__(self, feed: ChangeFeed, view: Connection) -> None:
        self._feed = feed
        self._view = view
        self._tid = snapshot_of(view)

    def sight(self, obj: Any, after: bool) -> Sight:
        """Return whether *obj* could be seen; *after* says whether it can be now."""
        return Sight(self._tid, self._was_seen(obj), after)

    def _was_seen(self, obj: Any) -> bool:
        if not isinstance(obj, Persistent) or obj._p_oid is None:
            return False
        try:
            former = self._view.get(obj._p_oid)
            with using(self._view):
                return not is_detached(former) and not self._feed.exclusion.excludes(former)
        except POSKeyError:
            return False  # it is made by this transaction
