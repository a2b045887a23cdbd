"""The process beside the daemon that delivers changes as soon as they are committed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from multiprocessing.connection import Connection, Pipe

from scheduler.runtime.application import Application
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.command_value import ENVIRONMENT
from scheduler.worker.log_forwarding import ForwardedLine, levels_here

log = logging.getLogger(__name__)

# Seconds until a process that has ended by itself is started again.
REST_SECONDS = 2.0
END_SECONDS = 15.0
NOTHING = Application()


class LivesyncProcess:
    """The process `indico_livesync follow` on the database at *uri*, kept alive until it is closed.

    It is a process of its own, so that making records does not slow down the one that serves
    the database.
    """

    def __init__(self, uri: str, application: Application = NOTHING) -> None:
        # In the environment: the list of processes would show a password in an argument.
        self._environment = {**os.environ, URI_VARIABLE: uri}
        options = ["--database", f"{ENVIRONMENT}{URI_VARIABLE}", "follow", "--until-eof"]
        options += ["--log-levels", json.dumps(levels_here())]
        options += ["--application", json.dumps(application), "--log-to"]
        self._command = [sys.executable, "-P", "-m", "livesync.cli.main", *options]
        self._closing = threading.Event()
        self._is_restarting = False
        self._process = self._begin()
        self._thread = threading.Thread(target=self._watch, name="following", daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """End the process after the deliveries under way, and start another one."""
        self._is_restarting = True
        self._process.terminate()

    def close(self) -> None:
        """End the process after the deliveries that are under way."""
        self._closing.set()
        self._process.terminate()
        self._thread.join(END_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
            self._thread.join()

    def _begin(self) -> subprocess.Popen[bytes]:
        # The end of one pipe tells it that this process is gone; the other pipe carries its log.
        # A new session keeps signals to the daemon's group away from it.
        ours, theirs = Pipe(duplex=False)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (our own)
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        threading.Thread(
            target=_forward, args=(ours,), name="log of following", daemon=True
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
                log.error("the process of livesync ended with %s; it is started again", status)
            self._is_restarting = False
            self._process = self._begin()


def _forward(pipe: Connection) -> None:
    with pipe:
        try:
            while True:
                said: ForwardedLine = pipe.recv()
                said.log()
        except (EOFError, OSError):
            log.debug("the process that follows changes has closed its log pipe %s", pipe)
