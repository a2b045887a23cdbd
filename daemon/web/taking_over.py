"""The threads at the loop: who hears a request answers it; where that takes long, others go on."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from daemon.web.bad_request import Channel

log = logging.getLogger(__name__)

PATIENCE = 0.05
"""How many seconds an answer may take before another thread goes on with the loop."""

AT_A_STRETCH = 0.01
"""How many seconds requests are answered, before it is looked for others."""

QUIET_LOOKS = 20
"""After so many looks at which nothing is answered nobody looks, until something is."""


class TakingOver:
    """Threads of which one is at the loop: it looks for requests by *look*, and answers them.

    *look(waits)* waits for some time if *waits* is true; *wake()* ends that.

    To hand a request to another thread would cost more than most answers do: threads of Python
    run one at a time, and wake each other from core to core. Where an answer takes long, as it
    waits for a database, another thread takes the loop over. *answering* threads answer at a time
    at most; there is one more, so that the loop never stands still.
    """

    def __init__(
        self, look: Callable[[bool], None], wake: Callable[[], None], answering: int
    ) -> None:
        self._look = look
        self._wake = wake
        self._answering = answering
        self._due: deque[Channel] = deque()
        self._changed = threading.Condition()
        self._at_loop, self._watcher = 0, 0
        self._begun = 0.0
        self._late = 0
        self._is_quiet, self._is_closing = False, False
        self._threads = [
            threading.Thread(target=self._run, name=f"web-{number}", daemon=True)
            for number in range(answering + 1)
        ]

    def start(self) -> None:
        """Begin to wait for requests."""
        for each in self._threads:
            each.start()

    def add_task(self, task: Channel) -> None:
        """Take the first request of the connection *task*."""
        self._due.append(task)
        if not self.is_here():
            self._wake()

    def is_here(self) -> bool:
        """Say whether the present thread is the one at the loop."""
        return threading.get_ident() == self._at_loop

    def close(self, seconds: float) -> None:
        """End the threads, and leave those whose answer takes longer than so many *seconds*."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._wake()
        end = time.monotonic() + seconds
        for each in self._threads:
            each.join(max(0.0, end - time.monotonic()))
        while self._due:
            self._due.popleft().cancel()

    def _run(self) -> None:
        while self._take_over():
            while self.is_here() and not self._is_closing:
                self._look(not self._may_answer())
                self._answer_what_is_due()

    def _may_answer(self) -> bool:
        return bool(self._due) and self._late < self._answering and not self._is_closing

    def _answer_what_is_due(self) -> None:
        end = time.monotonic() + AT_A_STRETCH
        while self._may_answer() and (begun := time.monotonic()) < end:
            task = self._due.popleft()
            self._begun = begun
            if self._is_quiet:
                self._wake_watcher()
            _answer(task)
            with self._changed:
                if not self.is_here():
                    break
                self._begun = 0.0
        else:
            return
        while (left := self._left_for_the_late()) is not None:
            _answer(left)

    def _left_for_the_late(self) -> Channel | None:
        """Return a request that only a thread whose answer took long may answer now.

        Without one, None: this thread is late no more.
        """
        with self._changed:
            if self._due and self._late >= self._answering and not self._is_closing:
                return self._due.popleft()
            self._late -= 1
            return None

    def _take_over(self) -> bool:
        """Wait until this thread is to be at the loop; return False when all is to end."""
        own, quiet_looks = threading.get_ident(), 0
        with self._changed:
            while not self._is_closing:
                is_late = bool(self._begun) and time.monotonic() - self._begun > PATIENCE
                if is_late or not self._at_loop:
                    self._late += is_late
                    self._at_loop, self._watcher, self._begun = own, 0, 0.0
                    self._changed.notify_all()
                    return True
                if self._watcher not in {0, own}:
                    self._changed.wait()
                    continue
                self._watcher = own
                quiet_looks = 0 if self._begun else quiet_looks + 1
                self._is_quiet = quiet_looks > QUIET_LOOKS
                if not self._is_quiet:
                    self._changed.wait(PATIENCE)
                elif not self._begun:  # else something is answered since this moment
                    self._changed.wait()
                    quiet_looks = 0
        return False

    def _wake_watcher(self) -> None:
        with self._changed:
            self._is_quiet = False
            self._changed.notify_all()


def _answer(task: Channel) -> None:
    try:
        task.service()
    except Exception:
        log.exception("request on connection %s failed", task.addr)
