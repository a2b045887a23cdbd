"""The wish to stop: from another thread of this process, or from a signal."""

from __future__ import annotations

from contextlib import AbstractContextManager

from scheduler.errors import SchedulerQuitException
from scheduler.runtime.stop_signals import on_stop_signals
from scheduler.store.commit_signal import CommitSignal


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

    def on_signals(self) -> AbstractContextManager[None]:
        """Return a block in which stop signals ask for a shutdown, if it is the main thread's."""
        return on_stop_signals(lambda name: self.ask(f"received {name}"))
