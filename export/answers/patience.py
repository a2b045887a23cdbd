"""Patience: a caller who prefers to wait has the answer when a task has ended."""

from __future__ import annotations

import threading

from ZODB import DB

from export.http.result import Answer, Pending
from scheduler import SchedulerModule
from scheduler.errors import SchedulerException
from scheduler.store.read_view import read_view
from scheduler.tasks.result_wait import wait_for

LONGEST_WAIT = 10.0
WAITING_AT_ONCE = 2


class Patience:
    """Waits for the tasks of answers, at most 10 seconds, and for two at a time.

    More would keep the server from other requests: who comes then is answered at once.
    """

    def __init__(self, database: DB) -> None:
        self._database = database
        self._places = threading.BoundedSemaphore(WAITING_AT_ONCE)

    def outwait(self, answer: Pending, seconds: float) -> Answer:
        """Return *answer* as it is when its task has ended, or after so many *seconds*."""
        if answer.awaited is None or not seconds or not self._places.acquire(blocking=False):
            return answer
        try:
            with read_view(self._database) as connection:
                module = SchedulerModule.getDBInstance(connection)
                try:
                    wait_for(module.getTaskById(answer.awaited), min(seconds, LONGEST_WAIT))
                except (KeyError, SchedulerException):
                    connection.newTransaction(None)  # it tells itself what has become of it
                return answer.again()
        finally:
            self._places.release()
