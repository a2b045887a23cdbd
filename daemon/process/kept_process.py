"""A process beside the daemon that is kept alive."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, Pipe

from scheduler.worker.log_forwarding import ForwardedLine

log = logging.getLogger(__name__)

# Seconds until a process that has ended by itself is started again.
REST_SECONDS = 2.0
END_SECONDS = 15.0


class KeptProcess:
    """A process of *command*, kept alive until it is closed.

    The command gets one more argument, the descriptor of the pipe that takes its log. The end of
    its standard input, on which it first reads *first*, tells it that this process is gone.
    *descriptors* stay open in it; *name* is how log lines call it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        first: bytes = b"",
        descriptors: Sequence[int] = (),
    ) -> None:
        self._name = name
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._first = first
        self._descriptors = tuple(descriptors)
        self._closing = threading.Event()
        self._is_restarting = False
        self._process = self._begin()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """End the process after the work under way, and start another one."""
        self._is_restarting = True
        self._process.terminate()

    def close(self) -> None:
        """End the process after the work that is under way."""
        self._closing.set()
        self._process.terminate()
        self._thread.join(END_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
            self._thread.join()

    def _begin(self) -> subprocess.Popen[bytes]:
        # A new session keeps signals to the daemon's group away from it.
        ours, theirs = Pipe(duplex=False)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (our own)
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                env=self._environment,
                pass_fds=[theirs.fileno(), *self._descriptors],
                start_new_session=True,
            )
        if process.stdin is not None and self._first:
            process.stdin.write(self._first)
            process.stdin.flush()
        threading.Thread(
            target=_forward, args=(ours,), name=f"log of {self._name}", daemon=True
        ).start()
        return process

    def _watch(self) -> None:
        while True:
            status = self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._closing.wait(0 if self._is_restarting else REST_SECONDS):
                return  # a signal to the whole service ends both
            if not self._is_restarting:
                log.error(
                    "the process of %s ended with %s; it is started again", self._name, status
                )
            self._is_restarting = False
            self._process = self._begin()


def _forward(pipe: Connection) -> None:
    with pipe:
        try:
            while True:
                said: ForwardedLine = pipe.recv()
                said.log()
        except (EOFError, OSError):
            log.debug("a process beside the daemon has closed its log pipe %s", pipe)
