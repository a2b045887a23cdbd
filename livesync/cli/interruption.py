"""Interruption: SIGINT, SIGTERM and SIGHUP end what goes on, at a place of its own choosing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupting(stop: Callable[[], None]) -> Iterator[None]:
    """Call *stop* for each of these signals inside the block; for the main thread.

    An exception raised wherever the program is would be lost in some places, such as in the
    middle of an answer of the database's server.
    """

    def hear(*_: object) -> None:
        # In a thread of its own: the one that was interrupted may hold the lock that is needed.
        threading.Thread(target=stop, daemon=True).start()

    is_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    heard = [each for each in SIGNALS if not (is_nohup and each == signal.SIGHUP)]
    before = {number: signal.signal(number, hear) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
