"""The signals that ask a process to stop: SIGTERM, SIGINT and SIGHUP."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds within which two signals are one: some programs send a signal to a process and to its
# group (`timeout`, a shell whose terminal closes).
ECHO_SECONDS = 0.5


@contextmanager
def on_stop_signals(stop: Callable[[str], object]) -> Iterator[None]:
    """Call *stop* with the name of the first of the signals; a second one ends the process.

    The call is in a thread of its own, because the one that is interrupted may hold the lock
    that *stop* needs. For the main thread; in another one the signals stay as they are. A SIGHUP
    that is ignored already (`nohup`) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if not first:
            first.append(time.monotonic())
            name = signal.Signals(number).name
            threading.Thread(target=stop, args=(name,), name="stop", daemon=True).start()
        elif number != signal.SIGHUP and time.monotonic() > first[0] + ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    handled = [each for each in STOP_SIGNALS if not _is_ignored(each)]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ignored(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
