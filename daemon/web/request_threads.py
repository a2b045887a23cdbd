"""The threads that answer requests; health has threads of its own, which no database blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container

from waitress.task import ThreadedTaskDispatcher

from daemon.web.bad_request import Channel
from daemon.web.taking_over import TakingOver
from livesync.http.stream_places import PATH

END_SECONDS = 5
OWN_THREADS = 2
CONSOLE_THREADS = 4
EVENTS = "/console/events"


class RequestThreads:
    """*threads* threads for requests, two more for the paths in *own*, and four for the console.

    Those for requests look for them, too, from the start on; see TakingOver for *look* and *wake*.

    A request to the export may wait for a database that does not answer, and keep its thread. A
    browser that shows a page, and a reader of changes, has a thread, which sleeps until there is
    an event.
    """

    def __init__(
        self,
        look: Callable[[bool], None],
        wake: Callable[[], None],
        threads: int,
        own: Container[str],
        is_console: Callable[[str], bool],
    ) -> None:
        self._loop = TakingOver(look, wake, threads)
        self.start = self._loop.start
        self.is_at_loop = self._loop.is_here
        self._own = own
        self._is_console = is_console
        self._streams: list[threading.Thread] = []
        self._owns, self._consoles = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self._owns.set_thread_count(OWN_THREADS)
        self._consoles.set_thread_count(CONSOLE_THREADS)

    def add_task(self, task: Channel) -> None:
        """Queue the first request of the connection *task*."""
        path = getattr(task.requests[0], "path", None) or ""
        if path == PATH:
            self._streams = [each for each in self._streams if each.is_alive()]
            self._streams.append(_started(task))
        elif path == EVENTS:
            _started(task)
        elif path in self._own:
            self._owns.add_task(task)
        elif self._is_console(path):
            self._consoles.add_task(task)
        else:
            self._loop.add_task(task)

    def shutdown(self) -> None:
        """End the threads.

        Streams of changes are to have been ended; they write their last bytes.
        """
        self._loop.close(END_SECONDS)
        for each in self._streams:
            each.join(END_SECONDS)
        self._owns.shutdown(timeout=END_SECONDS)
        self._consoles.shutdown(timeout=END_SECONDS)


def _started(task: Channel) -> threading.Thread:
    thread = threading.Thread(target=task.service, name="events", daemon=True)
    thread.start()
    return thread
