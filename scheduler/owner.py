"""The process that something belongs to, and whether it still lives."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


class Owner(tuple[str, int, str]):
    """The process that a lane belongs to: host name, process id, and when it started."""

    __slots__ = ()

    @classmethod
    def this_process(cls) -> Owner:
        """Return the process that asks."""
        return cls((os.uname().nodename, os.getpid(), _started(os.getpid())))

    def is_gone(self) -> bool:
        """Say whether this was a process of this machine that has ended."""
        host, pid, started = self
        if host != os.uname().nodename:
            return False
        try:
            # Where nobody reaps what has ended, it stays in the table of processes.
            is_dead = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
            return is_dead or _started(pid) != started
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return True


def _started(pid: int) -> str:
    """Return when process *pid* started, in a form that is compared only.

    It is no time of day: when clocks are set, what that gives for a process changes.
    """
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return f"{psutil.Process(pid).create_time():.0f}"
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{ticks} of {boot.read_text().strip()}"
