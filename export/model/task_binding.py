"""Follower: tasks that are bound to objects of the catalogue follow these."""

from __future__ import annotations

from typing import Any

from scheduler.inbox.bindings import follow


class TaskBinding:
    """A listener of the model: whatever is made, changed, moved or taken out is followed.

    The tasks are those of `scheduler.tasks.BoundTask`.
    """

    def created(self, obj: Any, owner: Any) -> None:
        """Let tasks follow an object that is in the catalogue, perhaps again."""
        follow(obj)

    def deleted(self, obj: Any, owner: Any) -> None:
        """Let tasks rest whose object is about to leave the catalogue."""
        follow(obj)

    def moved(self, obj: Any, before: Any, after: Any) -> None:
        """Let tasks follow an object to where it is now."""
        follow(obj)

    def infoChanged(self, obj: Any) -> None:
        """Let tasks follow an object whose dates may have changed."""
        follow(obj)
