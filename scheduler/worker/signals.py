"""The signals of a worker process: which it passes over, and what tasks may do with them."""

from __future__ import annotations

import os
import signal
import threading

# They reach all processes of a service when it is to end (systemd, a container); what they
# mean for a task that runs, the scheduler decides.
PASSED_OVER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A task may have changed what is done about these, too.
RESTORED = (
    *PASSED_OVER,
    *(signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGCHLD),
    *(signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2),
)
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class WorkerSignals:
    """Passes over the signals that end a service; for the main thread.

    Programs that a task starts, and processes that it forks, are ended by them as any other:
    they do not inherit this.
    """

    def __init__(self) -> None:
        for number in PASSED_OVER:
            signal.signal(number, _pass_over)
            signal.siginterrupt(number, False)
        _let_forks_be_ordinary()
        self._handlers = {number: signal.getsignal(number) for number in RESTORED}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def restore(self) -> None:
        """Take back what tasks have done to handlers, timers and the mask of signals."""
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
                if number in PASSED_OVER:
                    signal.siginterrupt(number, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def _pass_over(number: int, frame: object) -> None:
    """Do nothing; a signal that the system ignores is ignored by children, too."""


def _let_forks_be_ordinary() -> None:
    # Held back meanwhile: one that comes before the child is ordinary would be passed over.
    forking = threading.local()

    def hold_back() -> None:
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_OVER)

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def be_ordinary() -> None:
        _be_ordinary()
        let_through()

    os.register_at_fork(before=hold_back, after_in_parent=let_through, after_in_child=be_ordinary)


def _be_ordinary() -> None:
    for number in PASSED_OVER:
        if signal.getsignal(number) is _pass_over:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
