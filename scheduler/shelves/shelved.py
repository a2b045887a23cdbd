"""A task on its shelf: its place there, its state and date, without its being loaded."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from scheduler.states import WORDS
from scheduler.storage.outage import is_transient
from scheduler.tasks.base import BaseTask

Position: TypeAlias = tuple[Any, ...]
"""The number of a shelf, and a place on it: plain values."""


class Shelved(NamedTuple):
    """A task on a shelf."""

    position: Position
    task: Any
    """The task; whatever stands in its place, if its class is gone."""

    shelf_state: str | None
    """The word for the state of the tasks on this shelf; None where the records tell it."""

    date: datetime | None
    """When it is due, was given to a worker, or ended."""

    reason: str = ""
    """Why it is in quarantine."""

    queue: str | None = None
    """The queue that it waits in, if it waits."""

    occurrence: Any = None
    """The ended run that is meant, of a task that goes on."""

    @property
    def element(self) -> Any:
        """The task, or the occurrence that stands on the shelf."""
        return self.task if self.occurrence is None else self.occurrence

    @property
    def is_task(self) -> bool:
        """Whether it is a task or in quarantine: no occurrence, and no task without its class."""
        if self.shelf_state == "quarantined":
            return True
        return self.occurrence is None and isinstance(self.task, BaseTask)

    @property
    def state(self) -> str:
        """The word for its state; that of one that has failed, if its record cannot be read."""
        if self.shelf_state is not None:
            return self.shelf_state
        try:
            return WORDS[self.element.getStatus()]
        except Exception as error:
            if is_transient(error):
                raise
            return "failed"
