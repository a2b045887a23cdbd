"""From what happened to objects to what a target has to know: one state for each object.

`modified 1234, deleted 1234` becomes just `deleted 1234` (reference 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from livesync.actions import ActionWrapper
from livesync.subjects import CATEGORY, KINDS, is_detached, kind_of, parts, unique_id

STATUS_DELETED = 1
STATUS_CREATED = 2
STATUS_CHANGED = 4

OWN_STATUS = {
    "deleted": STATUS_DELETED,
    "created": STATUS_CREATED,
    "data_changed": STATUS_CHANGED,
}
# Who may see an object concerns everything below it as well.
CASCADING = {"set_private", "set_public", "acl_changed", "moved"}

Record = tuple[Any, str | int | None, int]


def reduce(data: Iterable[tuple[int, ActionWrapper]]) -> Iterator[Record]:
    """Yield (object, id, status bits) once for each object in *data*, whatever their order.

    Categories have no records: of them only what concerns the events below counts. Where the
    deleted bit is set it wins over the others; the object may be None.
    """
    found: dict[tuple[str, str], Record] = {}
    deleted: dict[tuple[str, str], list[Any]] = {}
    created: dict[tuple[str, str], Any] = {}
    for _, action in data:
        for kind, (obj, obj_id, status) in _effects(action):
            key = kind, str(obj_id)
            known, _, bits = found.get(key, (None, None, 0))
            found[key] = (obj if known is None else known, obj_id, bits | status)
            if status & STATUS_DELETED:
                deleted.setdefault(key, []).append(obj)
            if status & STATUS_CREATED and not is_detached(obj):
                created[key] = obj
    for key, (obj, obj_id, status) in found.items():
        successor = created.get(key)
        if any(successor is gone for gone in (*deleted.get(key, ()), None)):
            yield obj, obj_id, status
        else:
            # Another object has taken the place, and the id, of one that was deleted.
            yield successor, obj_id, status & ~STATUS_DELETED


def _effects(action: ActionWrapper) -> Iterator[tuple[str, Record]]:
    obj, names = action.getObject(), action.getActions()
    is_seen_by_others = bool(names & CASCADING) and action.kind in KINDS
    if is_seen_by_others and obj is not None:
        for part in parts(obj):
            if kind_of(part) != CATEGORY:
                yield kind_of(part), (part, unique_id(part), STATUS_CHANGED)
    status = STATUS_CHANGED if is_seen_by_others else 0
    for name in names:
        status |= OWN_STATUS.get(name, 0)
    if status and action.kind != CATEGORY:
        yield action.kind, (obj, action.getObjectId(), status)
