"""The service manager: systemd is told that the daemon is up, that it lives, and that it ends."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class ServiceManager:
    """The one that started this process, by the protocol of sd_notify(3); or nobody.

    Its variables are taken out of the environment: they are not for programs of tasks.
    """

    def __init__(self) -> None:
        address = os.environ.pop(SOCKET, "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        microseconds = os.environ.pop(WATCHDOG, "")
        is_ours = os.environ.pop(WATCHDOG_PID, str(os.getpid())) == str(os.getpid())
        self._limit = int(microseconds) / 1e6 if is_ours and microseconds.isdecimal() else 0.0

    @contextmanager
    def told(self, standstill: Callable[[], str]) -> Iterator[None]:
        """Tell that the daemon is up inside the block, and that it ends behind it.

        Inside, the watchdog is fed twice in its time, while *standstill* returns nothing.
        """
        over = threading.Event()
        thread = threading.Thread(target=self._feed, args=(standstill, over), name="watchdog")
        self._tell("READY=1", f"MAINPID={os.getpid()}")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._tell("STOPPING=1")

    def _feed(self, standstill: Callable[[], str], over: threading.Event) -> None:
        before = ""
        while self._limit and not over.wait(self._limit / 2):
            reason = standstill()
            if not reason:
                self._tell("WATCHDOG=1")
            elif reason != before:
                log.error("the watchdog of process %d is not fed: %s", os.getpid(), reason)
            before = reason

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.connect(self._address)
                out.send("\n".join(lines).encode())
        except OSError as error:
            log.warning("process %d cannot tell its manager %s: %s", os.getpid(), lines[0], error)
