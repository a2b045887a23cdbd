"""The worker process: started by the executor with the descriptors of a pipe and shared memory.

It is told what to do through the pipe, and ends when that does, or its parent. It leads a
process group of its own.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from importlib.metadata import entry_points
from mmap import mmap
from multiprocessing.connection import Connection
from typing import NamedTuple

from ZEO.ClientStorage import ClientStorage

from scheduler.errors import DatabaseUnavailable
from scheduler.inbox.claims import Claim
from scheduler.runtime.application import Application
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.runtime.output import log_output
from scheduler.storage import outage_log
from scheduler.storage.outage import pause
from scheduler.store import Database
from scheduler.store.database_uri import open_database
from scheduler.values.legible import LineFormatter
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.coroutine_pool import CoroutinePool
from scheduler.worker.family import MARK, descendants, kill_each, kill_marked
from scheduler.worker.heartbeat import SIZE, WorkerHeartbeat
from scheduler.worker.log_forwarding import forward_logs
from scheduler.worker.runner import Runner
from scheduler.worker.signals import WorkerSignals
from zodb_relay import SHADOWED, shadowed

log = logging.getLogger(__name__)

ENTRY_POINTS = "zodb_relay.workers"
ORPHANED = 3
CATCH_UP_SECONDS = 5.0
BEAT_SECONDS = 1.0


class FirstMessage(NamedTuple):
    """The first message to a worker process."""

    uri: str
    max_tries: int
    name: str
    path: list[str]
    levels: dict[str, int]
    """The levels of the loggers in the scheduler's process."""
    application: Application
    coroutines: int
    """How many coroutines are at work at once."""


class Worker:
    """Runs the claims that come through the pipe, and reports through it."""

    def __init__(
        self, pipe: Connection, heartbeat: WorkerHeartbeat, signals: WorkerSignals
    ) -> None:
        self._pipe = pipe
        self._heartbeat = heartbeat
        self._signals = signals
        self._sending = threading.Lock()
        self._claims = ClaimQueue()
        self._coroutines: CoroutinePool | None = None

    def main(self) -> None:
        """Run what is given until told to stop."""
        start: FirstMessage = self._pipe.recv()
        forward_logs(self._send, start.levels)
        log_output()
        outage_log.leave_to_others()
        sys.path[:] = start.path
        stranger = shadowed()
        if stranger:
            log.error("worker %s not started: %s", start.name, stranger)
            sys.exit(SHADOWED)
        try:
            self._serve(start)
        except Exception:
            log.exception("worker %s ends", start.name)
            raise

    def _serve(self, start: FirstMessage) -> None:
        start.application.load()
        for prepare in entry_points(group=ENTRY_POINTS):
            prepare.load()()  # as the application needs it: its listeners, for one
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        database = self._join(start.uri)
        if database is None:
            return
        self._database = database
        try:
            name = f"{start.name}/{os.getpid()}"
            self._coroutines = pool = self._pool(database, start, name)
            runner = Runner(
                *(database, start.max_tries, name, self._send, self._heartbeat),
                adopt=pool.add,
            )
            gc.freeze()  # what is there now stays: the collector need not look at it time and again
            self._send(("ready", [], [], 0))
            try:
                self._work(runner)
                pool.close()
            finally:
                REGISTRY.flush()
                runner.close()
        finally:
            database.close()
        self._send(("bye", [], [], 0))

    def _join(self, uri: str) -> Database | None:
        """Open the database, as soon as that can be done; None where it is not wanted any more."""
        attempt = 0
        while not self._claims.is_closed:
            attempt += 1
            try:
                return open_database(uri)
            except DatabaseUnavailable as error:
                log.info("the database cannot be opened yet: %s", error)
                time.sleep(pause(attempt))
        return None

    def _pool(self, database: Database, start: FirstMessage, name: str) -> CoroutinePool:
        return CoroutinePool(
            *(database, start.max_tries, name, start.coroutines),
            begun=lambda claim: self._send(("adopted", [], [claim], 0)),
            ended=lambda claim, outcomes: self._send(("awaited", outcomes, [], 0)),
            failed=lambda claim: end_group(),
            report=self._send,
            heartbeat=self._heartbeat,
        )

    def _rest(self) -> list[Claim]:
        """Take the claims that were not begun."""
        adopted = [] if self._coroutines is None else self._coroutines.take_all()
        return self._claims.take_all() + adopted

    def _work(self, runner: Runner) -> None:
        while (claim := self._claims.wait()) is not None:
            started = time.monotonic()
            outcomes = runner.run(claim, self._claims)
            self._signals.restore()
            # Before it is told: what was told must not be taken for begun.
            self._heartbeat.begin()
            self._send(("done", outcomes, [], time.monotonic() - started))

    def _listen(self) -> None:
        try:
            while (message := self._pipe.recv()) is not None:
                if message == "return":
                    self._send(("returned", [], self._rest(), 0))
                elif isinstance(message, Claim) and self._coroutines is not None:
                    self._coroutines.cancel(message)
                else:
                    seen_from, claims = message
                    self._catch_up(seen_from)
                    self._claims.extend(claims)
            self._send(("returned", [], self._rest(), 0))
            self._claims.close()
            while True:
                self._pipe.recv()  # what runs ends in peace, as long as the scheduler lives
        except (EOFError, OSError):
            # The scheduler is gone, and nobody would hear of the task that runs.
            end_group()

    def _catch_up(self, tid: bytes) -> None:
        # The pipe is faster than the database's server: without this, a task would be loaded
        # as it was before it was queued, and its run would end in a conflict.
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while isinstance(self._database.storage, ClientStorage):
            if self._database.lastTransaction() >= tid or time.monotonic() > deadline:
                return
            time.sleep(0.0003)

    def _send(self, message: object) -> None:
        with self._sending:
            self._pipe.send(message)


def beat_on(heartbeat: WorkerHeartbeat) -> None:
    """Beat as long as the process is there whose child this is; end with it."""
    parent = os.getppid()
    while os.getppid() == parent:
        heartbeat.beat()
        time.sleep(BEAT_SECONDS)
    end_group()


def end_group() -> None:
    """End this process at once, and with it those that tasks have started."""
    kill_each(descendants(os.getpid()))
    if mark := os.environ.get(MARK):
        kill_marked(mark)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(ORPHANED)


def main() -> None:
    """Be a worker process."""
    signals = WorkerSignals()
    descriptors = [int(word) for word in sys.argv[1:3]]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # programs that tasks start have no part in them
    pipe, memory = descriptors
    heartbeat = WorkerHeartbeat(mmap(memory, SIZE))
    os.close(memory)
    threading.Thread(target=beat_on, args=(heartbeat,), name="heartbeat", daemon=True).start()
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(process)d %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    Worker(Connection(pipe), heartbeat, signals).main()
