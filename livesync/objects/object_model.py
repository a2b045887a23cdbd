"""The adapter of the object model: ids, kinds, parts and owners of the objects that change.

The model's categories, events, contributions and subcontributions are known by the methods
that they have; any other persistent object with an id is followed too, on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from persistent import Persistent
from ZODB.broken import Broken
from ZODB.POSException import POSKeyError
from ZODB.utils import u64

from livesync.objects.watched_class import Id, WatchedClass
from livesync.objects.watched_classes import watch_of, watched_kind

CATEGORY = "category"
EVENT = "event"
CONTRIBUTION = "contribution"
SUBCONTRIBUTION = "subcontribution"
SESSION = "session"
NOTHING = "nothing"
KINDS = {CATEGORY, EVENT, CONTRIBUTION, SUBCONTRIBUTION}

LISTS_OF_PARTS = (
    "getSubCategoryList",
    "getConferenceList",
    "getContributionList",
    "getSubContributionList",
)


def unique_id(obj: Any, owner: Any = None) -> str | None:
    """Return the id under which *obj* is known outside; None if it has none.

    *owner* is where an object that was just deleted used to be. Raises IdentifyException.
    """
    watched = watch_of(obj)
    if watched is not None:
        found = recorded_id(obj, watched)
        return None if found is None else str(found)
    if owner is not None and owner_of(obj) is None and kind_of(owner) in {EVENT, CONTRIBUTION}:
        return f"{unique_id(owner)}.{obj.getId()}"
    return own_id(obj)


def recorded_id(obj: Persistent, watched: WatchedClass) -> Id | None:
    """Return the id under which changes of *obj*, which is stored, are recorded.

    None if the function that identifies it cannot be called in this process: the id is found
    when the change is sent. Raises IdentifyException.
    """
    if watched.identify or isinstance(obj, Broken):
        return watched.identity_of(obj)
    return own_id(obj) or str(u64(obj._p_oid))


def own_id(obj: Any) -> str | None:
    """Return the id that the methods of *obj* tell; None without such a method."""
    for method in ("getUniqueId", "getId"):
        if has_method(obj, method):
            return str(getattr(obj, method)())
    return None


def owner_of(obj: Any) -> Any:
    """Return what *obj* is a part of; None if nothing."""
    return obj.getOwner() if has_method(obj, "getOwner") else None


def lineage(obj: Any) -> Iterator[Any]:
    """Yield the categories that *obj* is or lies in, the closest first."""
    while obj is not None:
        if kind_of(obj) == CATEGORY:
            yield obj
        obj = owner_of(obj)


def parts(obj: Any) -> Iterator[Any]:
    """Yield everything below *obj*, owners before what they own; not what a pack has removed."""
    for part in _direct_parts(obj):
        if not is_lost(part):
            yield part
            yield from parts(part)


def _direct_parts(obj: Any) -> Iterator[Any]:
    if has_method(obj, "below"):
        # One by one: a list of all events of a category may be too long.
        yield from obj.below()
        return
    for method in LISTS_OF_PARTS:
        if has_method(obj, method):
            yield from getattr(obj, method)()


def kind_of(obj: Any) -> str:
    """Return what *obj* is: one of the four kinds of the model, else the name of its class."""
    if has_method(obj, "getSubCategoryList"):
        return CATEGORY
    if has_method(obj, "getContributionList") and kind_of(owner_of(obj)) in {CATEGORY, NOTHING}:
        return EVENT  # and not a session, which lists its contributions, too
    if has_method(obj, "getSubContributionList"):
        return CONTRIBUTION
    if is_a(obj, "SubContribution"):
        return SUBCONTRIBUTION
    if is_a(obj, "Session") or is_a(obj, "SessionSlot"):
        return SESSION
    if obj is None:
        return NOTHING
    return watched_kind(obj) or f"{type(obj).__module__}.{type(obj).__qualname__}"


def is_lost(obj: Any) -> bool:
    """Say whether *obj* is not in its database any more, though something still refers to it."""
    if not isinstance(obj, Persistent):
        return False
    try:
        obj._p_activate()
    except POSKeyError:
        return True
    return False


def is_detached(obj: Any) -> bool:
    """Say whether *obj* is gone, or belongs nowhere any more, by itself or with its owner."""
    if obj is None:
        return True
    try:
        kind = kind_of(obj)
        if kind == CATEGORY:
            return False
        needs_owner = kind in {CONTRIBUTION, SUBCONTRIBUTION} or has_method(obj, "getOwner")
        return needs_owner and is_detached(owner_of(obj))
    except POSKeyError:
        return True  # a pack has removed it


def may_see(obj: Any, access: Any) -> bool:
    """Say whether *access*, a user or a user's id, may see *obj*; None is the public."""
    if not is_restricted(obj):
        return True
    return has_method(obj, "canAccess") and bool(obj.canAccess(user_id(access)))


def is_restricted(obj: Any) -> bool:
    """Say whether anything keeps anybody from seeing *obj*."""
    return bool(
        ask(obj, "hasAnyProtection") or ask(obj, "isProtected") or ask(obj, "getDomainList")
    )


def may_change(obj: Any, access: Any) -> bool:
    """Say whether *access*, a user or a user's id, may change *obj*."""
    return has_method(obj, "canModify") and bool(obj.canModify(user_id(access)))


def user_id(access: Any) -> str | None:
    """Return the id of a user; None for nobody."""
    if access is None or isinstance(access, str):
        return access
    return str(access.getId())


def is_a(obj: Any, class_name: str) -> bool:
    """Say whether a class of this name is among those of *obj*."""
    return any(klass.__name__ == class_name for klass in type(obj).__mro__)


def ask(obj: Any, getter: str) -> Any:
    """Return what the *getter* of *obj* returns; None where it has no such method."""
    return getattr(obj, getter)() if has_method(obj, getter) else None


def has_method(obj: Any, name: str) -> bool:
    """Say whether the class of *obj* has a method of this name."""
    return callable(getattr(type(obj), name, None))
