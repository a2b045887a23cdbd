"""Undone: what a task had recorded and that was taken back is recorded as changed once more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from livesync.actions import ActionWrapper
from livesync.manager import SyncManager
from scheduler.clock import nowutc


def record_undone(entries: Iterable[tuple[Any, ...]], unmade: Collection[Any]) -> int:
    """Record, in the current transaction, the opposite of each action among *entries*.

    *entries* are what the undone transaction had put into logs, *unmade* the objects that it
    had made. What was created is deleted now, what was deleted is there again, and all else
    has changed. Returns how many objects that concerned.
    """
    manager = SyncManager.getDBInstance()
    timestamp = int(nowutc().timestamp())
    undone = {
        (action.getObjectId(), action.kind): action
        for entry in entries
        for action in entry
        if isinstance(action, ActionWrapper)
    }
    for action in undone.values():
        obj = action.getObject()
        if obj is not None:
            opposite = _opposite(action.getActions(), obj in unmade)
            manager.add(timestamp, ActionWrapper(timestamp, obj, opposite, action.getObjectId()))
    return len(undone)


def _opposite(actions: set[str], is_unmade: bool) -> set[str]:
    if is_unmade:
        return {"deleted"}
    return {"created", "data_changed"} if "deleted" in actions else {"data_changed"}
