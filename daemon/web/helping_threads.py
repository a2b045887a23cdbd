"""Threads of which one answers, and others help only where it takes long."""

from __future__ import annotations

import threading
import time

from waitress.task import ThreadedTaskDispatcher

from daemon.web.bad_request import Channel

PATIENCE = 0.05
"""How many seconds a request waits for a thread at work, before another one takes it."""


class HelpingThreads(ThreadedTaskDispatcher):
    """Threads that take requests from one queue.

    Threads of Python that compute at the same time hinder each other: as long as one gets along,
    it takes one request after the other. The others are for requests that wait for a database or a
    task, or that take long.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._begun: dict[int, float] = {}
        self.set_thread_count(threads)

    def add_task(self, task: Channel) -> None:
        """Queue the first request of the connection *task*."""
        with self.lock:
            self.queue.append(_Noted(task, self._begun))
            if self._has_free_hand():
                self.queue_cv.notify()

    def help(self) -> bool:
        """Return whether requests wait; another thread takes one where the others take long."""
        with self.lock:
            if self.queue and self._has_free_hand():
                self.queue_cv.notify()
            return bool(self.queue)

    def _has_free_hand(self) -> bool:
        """Say whether nobody at work will take the next request soon."""
        late = time.monotonic() - PATIENCE
        return all(begun < late for begun in tuple(self._begun.values()))


class _Noted:
    """A request of the queue: when its thread has begun stands in *begun* meanwhile."""

    def __init__(self, task: Channel, begun: dict[int, float]) -> None:
        self._task = task
        self._begun = begun

    def service(self) -> None:
        thread = threading.get_ident()
        self._begun[thread] = time.monotonic()
        try:
            self._task.service()
        finally:
            del self._begun[thread]

    def cancel(self) -> None:
        self._task.cancel()
