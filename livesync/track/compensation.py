"""Undone: what had been recorded and was taken back is recorded as changed once more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from livesync.track.action import CASCADING, ActionWrapper, is_record, recorded


def opposites(
    entries: Iterable[tuple[Any, ...]], timestamp: int, unmade: Collection[Any] = ()
) -> list[ActionWrapper]:
    """Return the opposite of each action among *entries*, as of *timestamp* (Unix seconds).

    *entries* are what an undone transaction had put into logs, *unmade* the objects known to be
    gone with it. A created object is deleted now, a deleted one exists again, and all others have
    changed, with all below them if that was so of the action.
    """
    undone = {
        (action.kind, action.mark): action
        for action in (recorded(entry)[1] for entry in entries if is_record(entry))
        if isinstance(action, ActionWrapper)
    }
    return [action.repeated(timestamp, _opposite(action, unmade)) for action in undone.values()]


def _opposite(action: ActionWrapper, unmade: Collection[Any]) -> set[str]:
    obj = action.getObject()
    if obj is None or obj in unmade:
        return {"deleted"}
    if "deleted" in action.getActions():
        return {"created", "data_changed"}
    cascading = CASCADING & action.getActions()
    is_moved = {"moved"} & cascading
    return {"data_changed"} | (is_moved or ({"acl_changed"} if cascading else set()))
