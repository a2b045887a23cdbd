"""ActionWrapper: the record of what happened to one object in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from functools import total_ordering
from math import inf
from typing import Any

from persistent import Persistent
from persistent.wref import WeakRef

from livesync.objects.object_model import kind_of

CASCADING = frozenset({"set_private", "set_public", "acl_changed", "moved"})
"""Actions that change the access, and so concern everything below the object as well."""

Key = tuple[int | float, str, str, tuple[str, ...], tuple[int, ...]]


@total_ordering
class ActionWrapper:
    """At *timestamp* (Unix seconds) *actions* (names) happened to *obj*, whose id is *objId*.

    Plain data, ordered by time (newest first), id, kind and actions, so that equal records
    are one element of a track. The object is only referred to: once it is deleted, a pack may
    remove it. Where *objId* is None, two objects differ by their identity.
    """

    __slots__ = (
        "_actions",
        "_former",
        "_id",
        "_kind",
        "_mark",
        "_object",
        "_sight",
        "_timestamp",
        "tid",
        "trace",
    )

    def __init__(
        self,
        timestamp: int,
        obj: Any,
        actions: Iterable[str],
        objId: str | int | None,
    ) -> None:
        self._timestamp = timestamp
        self._object = WeakRef(obj) if isinstance(obj, Persistent) else obj
        self._kind = kind_of(obj)
        self._actions = tuple(sorted(set(actions)))
        self._id = objId
        self._mark = identity(obj) if objId is None else str(objId)
        self._sight: tuple[int, bool, bool] | None = None
        self._former: tuple[str, ...] | None = None
        self.tid: int | None = None
        """The transaction that recorded it; None where that is not known."""
        self.trace: str | None = None
        """The trace (W3C traceparent) in which it was done, if a hook has noted that."""

    def with_sight(self, sight: tuple[int, bool, bool] | None) -> ActionWrapper:
        """Return this one, after noting whether targets could see the object before and after.

        None is noted where that stayed as it was; see `livesync.records.sight`.
        """
        self._sight = None if sight is None else (sight[0], sight[1], sight[2])
        return self

    def with_former(self, former: Iterable[str] | None) -> ActionWrapper:
        """Return this one, after noting the categories in which the object lay before.

        None is noted where they are not known, or are those in which it lies.
        """
        self._former = None if former is None else tuple(sorted(former))
        return self

    def getObject(self) -> Any:
        """Return the object; None when it is gone from the database."""
        return self._object() if isinstance(self._object, WeakRef) else self._object

    def getObjectId(self) -> str | int | None:
        """Return the unique id that the object had when this was recorded."""
        return self._id

    def getActions(self) -> set[str]:
        """Return the names of the actions."""
        return set(self._actions)

    def copy(self) -> ActionWrapper:
        """Return an equal one that may be stored through another connection."""
        twin = self.repeated(self._timestamp, self._actions)
        return twin.with_sight(self._sight).with_former(self._former)

    def repeated(self, timestamp: int, actions: Iterable[str]) -> ActionWrapper:
        """Return one about the same object, with other *actions* at another time."""
        twin = ActionWrapper(timestamp, self.getObject(), actions, self._id)
        twin._kind, twin._mark, twin.trace = self._kind, self._mark, self.trace
        return twin

    @property
    def timestamp(self) -> int:
        """When it happened, in Unix seconds."""
        return self._timestamp

    @property
    def kind(self) -> str:
        """The kind of the object (`object_model.kind_of`), also when it is gone."""
        return self._kind

    @property
    def mark(self) -> str:
        """The name of the object, unique within its kind: its id, as text, if it has one."""
        return self._mark

    @property
    def reference(self) -> Any:
        """The object, or where it is in a database a weak reference, which loads nothing."""
        return self._object

    @property
    def sight(self) -> tuple[int, bool, bool] | None:
        """Whether targets could see the object before and after, see `livesync.records.sight`."""
        return self._sight

    @property
    def former(self) -> tuple[str, ...] | None:
        """The ids of the categories that the object has left; None where they are not known."""
        return self._former

    def key(self) -> Key:
        """Return what it is ordered and compared by."""
        return (-self._timestamp, self._mark, self._kind, self._actions, self._sight or ())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, self.parts()

    def parts(self) -> tuple[Any, ...]:
        """Return the parts as which it is stored."""
        mark = self._mark if self._id is None or self._mark != str(self._id) else None
        parts = (self._timestamp, self._object, self._kind, self._actions, self._id, mark)
        if self._former is not None:
            return (*parts, self._sight, self.trace, self.tid, self._former)
        if self.tid is not None:
            return (*parts, self._sight, self.trace, self.tid)
        if self.trace is not None:
            return (*parts, self._sight, self.trace)
        return parts if self._sight is None else (*parts, self._sight)

    def __eq__(self, other: object) -> bool:
        return self.key() == other.key() if isinstance(other, ActionWrapper) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.key() < other.key() if isinstance(other, ActionWrapper) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key())

    def take_parts(
        self,
        timestamp: int,
        reference: Any,
        kind: str,
        actions: tuple[str, ...],
        obj_id: str | int | None,
        mark: str | None,
        sight: tuple[int, bool, bool] | None = None,
        trace: str | None = None,
        tid: int | None = None,
        former: tuple[str, ...] | None = None,
    ) -> None:
        """Become the action that was stored as these parts."""
        self._timestamp, self._object, self._kind = timestamp, reference, kind
        self._actions, self._id = actions, obj_id
        self._mark = str(obj_id) if mark is None else mark
        self._sight = sight
        self.trace, self.tid, self._former = trace, tid, former

    def __repr__(self) -> str:
        obj = self.getObject()
        shown = f"<{self._kind}, gone>" if obj is None else repr(obj)
        names = ",".join(self._actions)
        return f"<ActionWrapper@{id(self):#x} ({shown} {self._id}) [{names}] {self._timestamp}>"


def as_entry(position: int, action: Any) -> tuple[Any, ...]:
    """Return the entry of a log that records *action* at *position*: plain where it can be."""
    return (position, *action.parts()) if type(action) is ActionWrapper else (position, action)


def recorded(entry: tuple[Any, ...]) -> tuple[int, Any]:
    """Return the position and the action that *entry* of a log records."""
    position, *parts = entry
    return position, _restored(*parts) if len(parts) > 1 else parts[0]


def is_record(entry: tuple[Any, ...]) -> bool:
    """Say whether *entry*, of a log of any kind, records an action: it begins with a position."""
    return bool(entry) and isinstance(entry[0], int)


def commit_of(action: Any) -> float:
    """Return the transaction that recorded *action*, to order by; the last of all if unknown."""
    tid = getattr(action, "tid", None)
    return inf if tid is None else tid


def identity(obj: Any) -> str:
    """Return a unique name of *obj*, which has no id."""
    oid = getattr(obj, "_p_oid", None)
    return oid.hex() if oid else f"{id(obj):x}"


def _restored(*parts: Any) -> ActionWrapper:
    """Return the ActionWrapper that was stored as *parts*."""
    action = ActionWrapper.__new__(ActionWrapper)
    action.take_parts(*parts)
    return action
