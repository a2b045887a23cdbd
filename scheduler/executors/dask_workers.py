"""The worker processes of a local Dask cluster: their signals, and one that was stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import distributed

from scheduler.executors.suspension import is_suspended
from scheduler.worker.family import descendants, kill_each

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class LocalWorkers:
    """Checks the processes of *cluster*; one that is stopped for *silence* seconds is killed.

    Dask starts another in its place, and repeats its tasks. *on_change* is called when
    a state changes.
    """

    def __init__(self, cluster: Any, silence: float, on_change: Callable[[], None]) -> None:
        self._cluster = cluster
        self._silence = silence
        self._on_change = on_change
        self._stopped: dict[int, float] = {}  # by process: for how many seconds
        self._is_over = threading.Event()
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def state(self, address: str) -> str:
        """Return why the worker at *address* does not work; empty if it does."""
        return "stopped" if self._pids().get(address) in self._stopped else ""

    def pids(self, addresses: Sequence[str]) -> list[int]:
        """Return the processes of the workers at *addresses*."""
        pids = self._pids()
        return [pids[address] for address in addresses if address in pids]

    def close(self) -> None:
        """Stop checking."""
        self._is_over.set()

    def _pids(self) -> dict[str, int]:
        nannies = list(self._cluster.workers.values())
        return {each.worker_address: each.pid for each in nannies if each.pid}

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception:
                log.exception("Dask workers %s not checked", sorted(self._pids().values()))

    def _look(self) -> None:
        before = self._stopped
        suspended = [pid for pid in self._pids().values() if is_suspended(pid)]
        self._stopped = {pid: before.get(pid, 0.0) + LOOK_SECONDS for pid in suspended}
        for pid in self._stopped.keys() - before.keys():
            log.warning("worker process %d is stopped, without a heartbeat", pid)
        for pid, seconds in self._stopped.items():
            if seconds > self._silence:
                log.error("worker process %d killed: it was stopped for %d s", pid, seconds)
                end_group(pid)
        if self._stopped.keys() != before.keys():
            self._on_change()


class Apart(distributed.WorkerPlugin):
    """Makes a worker a process group of its own; signals to the service do not end its task."""

    name = "zodb-relay-apart"

    def setup(self, worker: Any) -> None:
        """Leave the group of the process that has started *worker*."""
        with suppress(PermissionError):
            os.setsid()

        def stop(number: int, frame: object) -> None:
            if not worker.state.executing:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)

        def be_ordinary() -> None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)

        with suppress(ValueError):  # where it is not the main thread that serves
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, stop)
            os.register_at_fork(after_in_child=be_ordinary)


def end_group(pid: int) -> None:
    """Kill process *pid* with its family, if it lives, and what is left of its group."""
    family = descendants(pid)
    with suppress(ProcessLookupError, PermissionError):
        if pid != os.getpgrp():
            os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        if os.getpgid(pid) != pid:
            os.kill(pid, signal.SIGKILL)
    kill_each(family)
