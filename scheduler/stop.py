"""The wish to stop: from another thread of this process, or from a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.errors import SchedulerQuitException
from scheduler.store.wake import Wake

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """The wish to stop, from another thread of this process or from a signal."""

    def __init__(self) -> None:
        self.asked: SchedulerQuitException | None = None
        self.wake: Wake | None = None

    def ask(self, msg: str) -> None:
        """Ask for a shutdown; *msg* is for the log."""
        self.asked = SchedulerQuitException(msg)
        if self.wake is not None:
            self.wake.set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask for a shutdown, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: object) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # Not here: the lock that waking needs may be held by the very code that was interrupted.
        name = signal.Signals(number).name
        threading.Thread(target=self.ask, args=(f"received {name}",), daemon=True).start()
