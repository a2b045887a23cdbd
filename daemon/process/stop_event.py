"""The process: the event that stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.runtime.stop_signals import on_stop_signals


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once.

    For the main thread.
    """
    stop = threading.Event()
    with on_stop_signals(lambda _: stop.set()):
        yield stop


def wait_for(stop: threading.Event) -> None:
    """Wait until *stop* is set; signals are handled at once meanwhile."""
    while not stop.wait(0.2):
        pass
