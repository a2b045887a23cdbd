"""The listeners: from a changed object to a recorded action, in the same transaction.

Reference 4.6. A change that the model announces (see `export.model.listeners`) is recorded at
once; inside a request the changes are gathered, one for each object, and recorded when the
request ends well.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any, Self

from persistent import Persistent
from ZODB.utils import u64

from export.model import listeners
from livesync.capture.gathering import Change, Request, current_request
from livesync.capture.recorder import note
from livesync.feed.manager import SyncManager
from livesync.objects.object_model import (
    EVENT,
    KINDS,
    SESSION,
    ask,
    has_method,
    is_a,
    kind_of,
    owner_of,
    recorded_id,
    unique_id,
)
from livesync.objects.watched_class import Id, WatchedClass
from livesync.objects.watched_classes import table_of, watch_of
from livesync.records.change_filter import former_categories
from livesync.records.reduction import LEAVING
from livesync.track.action import CASCADING
from scheduler.clock import nowutc
from scheduler.store import connection_of

log = logging.getLogger(__name__)

INHERITING, PROTECTED, PUBLIC = 0, 1, -1


class ObjectChangeListener:
    """Turns each change that the model announces into actions of the objects it concerns.

    It keeps nothing, so all are equal: subscribed once more, none hears anything twice.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def created(self, obj: Any, owner: Any) -> None:
        """Record that *obj* was created in *owner*."""
        if owner is not None:
            _note(owner, "data_changed")
        _note(obj, "created", owner=owner)

    def deleted(self, obj: Any, oldOwner: Any) -> None:
        """Record that *obj* was deleted from *oldOwner*."""
        _note(obj, "deleted", owner=oldOwner)

    def moved(self, obj: Any, from_owner: Any, to_owner: Any) -> None:
        """Record the move, and the change of protection that it brings where that is inherited."""
        actions = {"moved"}
        before, after = _is_protected(from_owner), _is_protected(to_owner)
        if before != after and _protection_level(obj) == INHERITING:
            actions.add("set_private" if after else "set_public")
        _note(obj, *actions, owner=from_owner)

    def infoChanged(self, obj: Any) -> None:
        """Record that the data of *obj* changed."""
        _note(obj, "data_changed")

    def categoryTitleChanged(self, obj: Any, *_titles: Any) -> None:
        """Record a new title."""
        _note(obj, "title_changed")

    def eventTitleChanged(self, obj: Any, *_titles: Any) -> None:
        """Record a new title."""
        _note(obj, "title_changed")

    def contributionTitleChanged(self, obj: Any, *_titles: Any) -> None:
        """Record a new title."""
        _note(obj, "title_changed")

    def protectionChanged(self, obj: Any, old: int, new: int) -> None:
        """Record whom *obj* is open to now, unless it comes to the same."""
        before, after = (
            _inherited_protection(obj) if level == INHERITING else level for level in (old, new)
        )
        if before != after:
            _note_rule(obj, "set_public" if after == PUBLIC else "set_private")
        elif old != new and _admits_others(_guard_of(obj)):
            # As open as before, but by a rule of its own, which does not name the same people.
            _note_rule(obj, "acl_changed")

    def accessGranted(self, obj: Any, *_who: Any) -> None:
        """Record that somebody may see *obj*."""
        _note_access(obj)

    def accessRevoked(self, obj: Any, *_who: Any) -> None:
        """Record that somebody may not see *obj* any more."""
        _note_access(obj)

    def modificationGranted(self, obj: Any, *_who: Any) -> None:
        """Record that somebody may change *obj*."""
        _note_access(obj)

    def modificationRevoked(self, obj: Any, *_who: Any) -> None:
        """Record that somebody may not change *obj* any more."""
        _note_access(obj)

    def accessDomainAdded(self, obj: Any, *_domain: Any) -> None:
        """Record that *obj* is open to a domain."""
        _note_rule(obj, "acl_changed")

    def accessDomainRemoved(self, obj: Any, *_domain: Any) -> None:
        """Record that *obj* is not open to a domain any more."""
        _note_rule(obj, "acl_changed")


class RequestListener:
    """Gathers the changes of a request, and records them when it has ended well.

    The gathered changes follow the transaction: those that it rolls back or aborts are not
    recorded, those that it commits are, even where the request goes on, or fails.
    """

    def requestStarted(self, obj: Any = None) -> None:  # noqa: N802 (documented)
        """Begin to gather."""
        current_request.set(Request(_record_together))

    def requestRetry(self, obj: Any = None, nretry: int = 0) -> None:  # noqa: N802 (documented)
        """Begin anew: the transaction was aborted, and what was gathered with it."""
        request = current_request.get()
        if request is not None:
            request.drop()
        self.requestStarted()

    def requestFinished(self, obj: Any = None) -> None:  # noqa: N802 (documented)
        """Record what was gathered, in the current transaction, before its commit."""
        request = current_request.get()
        current_request.set(None)
        if request is not None:
            request.end()


class RequestListenerContext:
    """A `with` block that counts as a request, for scripts and tests.

    Changes inside are recorded at its end, or in a commit before that. If the block raises,
    they are recorded only where the transaction is committed all the same.
    """

    def __enter__(self) -> Self:
        self._outer = current_request.get()
        RequestListener().requestStarted()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                RequestListener().requestFinished()
        finally:
            current_request.set(self._outer)


_listener = ObjectChangeListener()


def connect() -> None:
    """Have all changes of the model recorded from now on, in this process."""
    listeners.subscribe(_listener)


def disconnect() -> None:
    """Have nothing recorded any more."""
    listeners.unsubscribe(_listener)


def _note(obj: Any, *actions: str, owner: Any = None) -> None:
    if kind_of(obj) == SESSION:
        _note_session(obj, *actions, event=_event_of(owner if owner is not None else obj))
        return
    watched = _watch_of(obj, owner)
    if watched is not None:
        obj_id = recorded_id(obj, watched)
    else:
        obj_id = unique_id(obj, owner) or _place_of(obj, owner)
    if watched is None and obj_id is None:
        log.warning("a change of %r is not recorded: it has no id and is not stored", obj)
        return
    request = current_request.get()
    if request is not None:
        manager = _stored(obj, owner).transaction_manager
        request.gathering_of(manager).add(obj, obj_id, owner, set(actions))
    else:
        _record(_now(), obj, obj_id, owner, set(actions))


def _watch_of(obj: Any, owner: Any) -> WatchedClass | None:
    """Return how *obj* is watched; a new object of a watched class gets its place."""
    if not isinstance(obj, Persistent):
        return None
    if obj._p_jar is None and isinstance(owner, Persistent) and owner._p_jar is not None:
        watched = table_of(owner._p_jar).of(type(obj))
        if watched is not None:
            owner._p_jar.add(obj)
        return watched
    return watch_of(obj)


def _place_of(obj: Any, owner: Any) -> str | None:
    """Return the number of the place of *obj* in the database, of the new one next to *owner*."""
    if not isinstance(obj, Persistent):
        return None
    if obj._p_oid is None and isinstance(owner, Persistent) and owner._p_jar is not None:
        owner._p_jar.add(obj)
    return None if obj._p_oid is None else str(u64(obj._p_oid))


def _note_session(session: Any, *actions: str, event: Any) -> None:
    """Note what happened to a session as changes of its event, and of what it holds."""
    if event is None:
        return
    _note(event, "data_changed")
    concerning_others = CASCADING.intersection(actions)
    if concerning_others:
        for contribution in ask(event, "getContributionList") or ():
            if getattr(contribution, "session", None) is session:
                _note(contribution, *concerning_others)


def _event_of(obj: Any) -> Any:
    while obj is not None and kind_of(obj) != EVENT:
        obj = owner_of(obj)
    return obj


def _record_together(changes: list[Change]) -> None:
    timestamp = _now()
    for obj, obj_id, owner, actions in changes:
        _record(timestamp, obj, obj_id, owner, set(actions))


def _now() -> int:
    return int(nowutc().timestamp())


def _record(timestamp: int, obj: Any, obj_id: Id | None, owner: Any, actions: set[str]) -> None:
    manager = SyncManager.getDBInstance(_stored(obj, owner))
    log.debug("%s %s: %s", kind_of(obj), obj_id, ", ".join(sorted(actions)))
    has_left = owner is not None and bool(LEAVING & actions)
    former = former_categories(owner) if has_left else None
    note(manager, timestamp, obj, obj_id, actions, former)


def _stored(*candidates: Any) -> Any:
    """Return the connection that one of *candidates*, or an owner, is stored in.

    The current one where none is.
    """
    for candidate in candidates:
        while candidate is not None:
            if isinstance(candidate, Persistent) and candidate._p_jar is not None:
                return candidate._p_jar
            candidate = owner_of(candidate)
    return connection_of(None)


def _note_access(obj: Any) -> None:
    if kind_of(obj) in {*KINDS, SESSION}:
        _note(obj, "acl_changed")
    elif is_a(obj, "AccessController"):
        if owner_of(obj) is not None:
            _note_access(owner_of(obj))
    elif (bearer := _bearer(obj)) is not None:
        _note(bearer, "data_changed")


def _note_rule(obj: Any, action: str) -> None:
    """Note another rule of *obj*: of a file or the like, what it is a part of tells who sees it."""
    bearer = None if kind_of(obj) in {*KINDS, SESSION} else _bearer(obj)
    if bearer is None:
        _note(obj, action)
    else:
        _note(bearer, "data_changed")


def _bearer(obj: Any) -> Any:
    """Return what has a record of its own and *obj* as a part; None if there is nothing."""
    owner = owner_of(obj)
    while owner is not None and kind_of(owner) not in KINDS:
        owner = owner_of(owner)
    return owner


def _is_protected(obj: Any) -> bool:
    return has_method(obj, "isProtected") and bool(obj.isProtected())


def _protection_level(obj: Any) -> int:
    level = "getAccessProtectionLevel"
    return int(getattr(obj, level)()) if has_method(obj, level) else INHERITING


def _inherited_protection(obj: Any) -> int:
    return PROTECTED if _is_protected(_guard_of(obj)) else PUBLIC


def _guard_of(obj: Any) -> Any:
    return ask(obj, "getGuard") if has_method(obj, "getGuard") else owner_of(obj)


def _admits_others(guard: Any) -> bool:
    """Say whether *guard* lets in, or keeps out, others than an own rule of what inherits it."""
    return ask(guard, "admitted") != ask(guard, "trusted") or bool(ask(guard, "getDomainList"))
