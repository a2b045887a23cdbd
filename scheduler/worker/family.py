"""The family of a worker: the processes that its tasks have started, and these in turn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "SCHEDULER_WORKER"
"""The variable by which all that a worker has started is known, also after the worker's end."""

# A process that is killed may have started another one just before.
ROUNDS = 10


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that *pid* and its children have started, as far as a parent lives."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def kill_each(processes: Iterable[psutil.Process]) -> None:
    """Kill those of *processes* that live, and no others that have their numbers now."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def kill_marked(mark: str) -> None:
    """Kill what has *mark* in its environment, except this process; Linux alone tells of that."""
    entry = f"{MARK}={mark}".encode()
    for _ in range(ROUNDS):
        found = [pid for pid in psutil.pids() if pid != os.getpid() and entry in _environment(pid)]
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
