"""The threads that answer requests; health has threads of its own, which no database blocks."""

from __future__ import annotations

from collections.abc import Container

from waitress.task import ThreadedTaskDispatcher

from daemon.web.bad_request import Channel

OWN_THREADS = 2


class RequestThreads(ThreadedTaskDispatcher):
    """*threads* threads for requests, and two more for the paths in *own*.

    A request to the export may wait for a database that does not answer, and keep its thread.
    """

    def __init__(self, threads: int, own: Container[str]) -> None:
        super().__init__()
        self._own = own
        self._owns = ThreadedTaskDispatcher()
        self._owns.set_thread_count(OWN_THREADS)
        self.set_thread_count(threads)

    def add_task(self, task: Channel) -> None:
        """Queue the first request of the connection *task*."""
        if getattr(task.requests[0], "path", None) in self._own:
            self._owns.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        """End the threads; return whether requests were cancelled."""
        self._owns.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))
