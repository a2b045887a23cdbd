"""The process: the event that stops it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.runtime.stop_signals import on_stop_signals

# Seconds between thread switches of a daemon, which serves the embedded database.
SWITCH_SECONDS = 0.0005


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once.

    For the main thread.
    """
    stop = threading.Event()
    with on_stop_signals(lambda _: stop.set()):
        yield stop


def switch_threads_often() -> None:
    """Shorten the interval of this process's thread switches to SWITCH_SECONDS.

    A commit of another process needs several switches to the thread of the embedded server, and
    each would wait for the usual 5 ms while a task computes.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))


def wait_for(stop: threading.Event) -> None:
    """Wait until *stop* is set; signals are handled at once meanwhile."""
    while not stop.wait(0.2):
        pass
