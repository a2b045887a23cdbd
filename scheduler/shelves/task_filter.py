"""Filters: which tasks are meant, by name, state, queue, date and the text of their error."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from scheduler.clock import aware
from scheduler.runtime.origin import Origin
from scheduler.shelves.shelved import Shelved
from scheduler.states import STATES
from scheduler.storage.outage import is_transient
from scheduler.tasks.naming import dotted, name_of


@dataclass(frozen=True)
class TaskFilter:
    """A choice of tasks: all criteria that are given must hold; without any, all tasks.

    Raises ValueError for a state that there is not, and for a date without a zone.
    """

    name: str | None = None
    """The class, or the function that is called, with or without the module.

    With `*`, which stands for any text, its case does not matter: `*mail*`.
    """

    state: str | None = None
    """One of `scheduler.states.STATES`: waiting, paused, running, failed, quarantined ..."""

    queue: str | None = None
    """The named queue; empty for the ordinary one."""

    since: datetime | None = None
    """The earliest date: when a task is due, was given to a worker, or ended."""

    until: datetime | None = None
    """The latest date."""

    text: str | None = None
    """A part of the message of the last attempt, or of the quarantine; its case does not matter."""

    origin: str | None = None
    """A part of the user, request or host that it was enqueued by, or the number of the task."""

    def __post_init__(self) -> None:
        if self.state is not None and self.state not in STATES:
            raise ValueError(f"state is {self.state!r}; it must be one of {', '.join(STATES)}")
        for name in ("since", "until"):
            date = getattr(self, name)
            if date is not None:
                aware(date, name)

    def packed(self) -> tuple[Any, ...]:
        """Return the criteria as a tuple of plain values, as they are stored."""
        return astuple(self)

    def allows(self, found: Shelved) -> bool:
        """Return whether *found* is meant; one that cannot be read is not, if that is needed."""
        try:
            return self._allows_date(found.date) and self._allows_task(found)
        except Exception as error:
            if is_transient(error):
                raise
            return False

    def _allows_date(self, date: datetime | None) -> bool:
        if date is None:
            return self.since is None and self.until is None
        is_late_enough = self.since is None or date >= self.since
        return is_late_enough and (self.until is None or date <= self.until)

    def _allows_task(self, found: Shelved) -> bool:
        task = found.task
        if self.name is not None and not _is_named(name_of(task), dotted(self.name)):
            return False
        if self.state is not None and self.state != found.state:
            return False
        if self.queue is not None and self.queue != _queue_of(found):
            return False
        if self.origin is not None and not _is_from(found.task.getOrigin(), self.origin.casefold()):
            return False
        return self.text is None or self.text.casefold() in _error_of(found).casefold()


def _is_named(name: str, wanted: str) -> bool:
    if "*" in wanted:
        return _pattern(wanted).fullmatch(name) is not None
    return wanted in (name, name.rpartition(".")[2])


@lru_cache
def _pattern(wanted: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wanted.split("*"))), re.IGNORECASE | re.DOTALL)


def _queue_of(found: Shelved) -> Any:
    return found.task.queueName if found.queue is None else found.queue


def _is_from(origin: Origin, wanted: str) -> bool:
    named = (origin.user, origin.request, origin.host)
    return wanted == str(origin.task) or any(wanted in each.casefold() for each in named)


def _error_of(found: Shelved) -> str:
    if found.reason:
        return found.reason
    attempts = found.element.getAttempts()
    return attempts[-1].message if attempts else ""
