"""The wait of a task for a signal: it ends its attempt, and is run anew when that comes."""

from __future__ import annotations

from scheduler.clock import nowutc
from scheduler.errors import SignalTimeoutError
from scheduler.inbox.signals import checked_name
from scheduler.store.sealed_value import opened
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle


class WaitForSignal(Exception):  # noqa: N818 (as TaskDelayed)
    """Raised by a task that waits for the signal *name*; not a failed try.

    The changes of the attempt are aborted. The task is run anew when `Client.signal` gives the
    signal, or *timeout* seconds have passed; `attempt.waitForSignal` tells which. Raises
    TypeError or ValueError for what is no name, and no number of seconds.
    """

    def __init__(self, name: str, timeout: float | None = None) -> None:
        super().__init__(f"waits for the signal {checked_name(name)!r}")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"the timeout is {timeout!r}; it must be a number of seconds from 0")
        self.name = name
        self.timeout = timeout


def payload_of(task: BaseTask, name: str, timeout: float | None = None) -> object:
    """Return the payload of the signal *name*, where *task* has received it.

    Raises WaitForSignal where it has yet to come, SignalTimeoutError where it has not come in time,
    SecretUnreadable where it is encrypted with a key that is not here.
    """
    handle = TaskHandle(task)
    received = handle.signals.get(checked_name(name))
    if received:
        return opened(received[0])
    awaited, until = handle.awaits or (None, None)
    now = nowutc().timestamp()
    if awaited == name and until is not None:
        timeout = until - now
    if received == () or (awaited == name and timeout is not None and timeout <= 0):
        raise SignalTimeoutError(f"the signal {name!r} has not come in time")
    raise WaitForSignal(name, timeout)
