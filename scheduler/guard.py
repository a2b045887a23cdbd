"""The guard of a worker: what a task must not end is its transaction, connection and process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from ZODB.Connection import Connection

from scheduler.errors import SchedulerException

Result = TypeVar("Result")


class Guard:
    """Calls the methods of tasks that are run on *connection*, in the thread that made it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._process = os.getpid()
        self._thread = threading.get_ident()
        self._is_up = False
        connection.close = self._close

    def release(self) -> None:
        """Let the connection be closed again."""
        del self._connection.close

    def call(self, work: Callable[[], Result]) -> Result:
        """Return what *work* returns; in a child process that it has forked, end that."""
        self._is_up = True
        try:
            return work()
        finally:
            self._is_up = False
            if os.getpid() != self._process:
                os._exit(0)  # else it would go on as a second worker on the same connection

    def refuse_commit(self) -> None:
        """Raise SchedulerException where a task is at work; called before each commit."""
        if self._is_up:
            raise SchedulerException(
                "a task must not commit: what it changes is committed with its finished mark; "
                "for commits of your own use scheduler.store.transact"
            )

    def _close(self, primary: bool = True) -> None:
        # Stands in front of the connection's own method.
        if self._is_up and threading.get_ident() == self._thread:
            raise SchedulerException("a task must not close the connection of its run")
        type(self._connection).close(self._connection, primary)
