"""The listener by which bound tasks follow objects of the catalogue."""

from __future__ import annotations

from typing import Any

from scheduler.inbox.bindings import follow


class TaskBinding:
    """A listener that updates the bound tasks of each object that changes.

    The tasks are those of `scheduler.tasks.BoundTask`.
    """

    def created(self, obj: Any, owner: Any) -> None:
        """Enqueue the tasks bound to *obj*, which is in the catalogue now, perhaps again."""
        follow(obj)

    def deleted(self, obj: Any, owner: Any) -> None:
        """Take the tasks bound to *obj* off the queue; it is about to leave the catalogue."""
        follow(obj)

    def moved(self, obj: Any, before: Any, after: Any) -> None:
        """Update the tasks bound to *obj*, which has a new owner."""
        follow(obj)

    def infoChanged(self, obj: Any) -> None:
        """Update the tasks bound to *obj*, whose dates may have changed."""
        follow(obj)
