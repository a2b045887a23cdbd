"""The wish to stop: from another thread of this process, or from a signal."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from scheduler.errors import SchedulerQuitException
from scheduler.store.commit_signal import CommitSignal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Some send a signal to a process and to its group (`timeout`, a shell whose terminal closes):
# within so many seconds both are one.
ECHO_SECONDS = 0.5

Hear = Callable[[int, FrameType | None], object]


@contextmanager
def hearing_stop_signals(hear: Hear) -> Iterator[None]:
    """Call *hear* at the first of SIGTERM, SIGINT and SIGHUP; a second one ends the process.

    For the main thread. A SIGHUP that is ignored already (`nohup`) stays ignored.
    """
    first: list[float] = []

    def each_one(number: int, frame: FrameType | None) -> None:
        if not first:
            first.append(time.monotonic())
            hear(number, frame)
        elif number != signal.SIGHUP and time.monotonic() > first[0] + ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    heard = [each for each in STOP_SIGNALS if not _is_ignored(each)]
    before = {number: signal.signal(number, each_one) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ignored(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


class ShutdownRequest:
    """The wish to stop, from another thread of this process or from a signal."""

    def __init__(self) -> None:
        self.asked: SchedulerQuitException | None = None
        self.wake: CommitSignal | None = None

    def ask(self, msg: str) -> None:
        """Ask for a shutdown; *msg* is for the log."""
        self.asked = SchedulerQuitException(msg)
        if self.wake is not None:
            self.wake.set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM, SIGINT and SIGHUP ask for a shutdown, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with hearing_stop_signals(self._hear):
            yield

    def _hear(self, number: int, frame: object) -> None:
        # Not here: the lock that waking needs may be held by the very code that was interrupted.
        name = signal.Signals(number).name
        threading.Thread(target=self.ask, args=(f"received {name}",), daemon=True).start()
