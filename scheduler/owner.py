"""The process that something belongs to, and whether it still lives."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil


class Owner(tuple[str, int, str]):
    """A process: host name, process id, and when it started."""

    __slots__ = ()

    @classmethod
    def this_process(cls) -> Owner:
        """Return the process that asks."""
        return cls._of(os.getpid())

    @classmethod
    def of_lock(cls, lock: Path) -> Owner | None:
        """Return the process of this machine that has the lock file *lock*; None if none is seen.

        It holds the process id, which may be that of another process in another container.
        """
        try:
            pid = int(lock.read_text())
            opened = {each.path for each in psutil.Process(pid).open_files()}
            return cls._of(pid) if os.path.realpath(lock) in opened else None
        except (OSError, ValueError, psutil.Error):
            return None

    @classmethod
    def _of(cls, pid: int) -> Owner:
        return cls((os.uname().nodename, pid, _started(pid)))

    @property
    def pid(self) -> int:
        """The process id."""
        return self[1]

    def is_here(self) -> bool:
        """Say whether this is, or was, a process of this machine."""
        return self[0] == os.uname().nodename

    def is_gone(self) -> bool:
        """Say whether this was a process of this machine that has ended."""
        return self.is_here() and self._status() is None

    def is_stopped(self) -> bool:
        """Say whether this is a process of this machine that was stopped, to be continued."""
        return self.is_here() and self._status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """Kill the process, which is one of this machine, if it lives."""
        with suppress(psutil.NoSuchProcess):
            if self._status() is not None:
                psutil.Process(self.pid).kill()

    def _status(self) -> str | None:
        """Return the state of the process; None for one that has ended."""
        _, pid, started = self
        try:
            status: str = psutil.Process(pid).status()
            # Where nobody reaps what has ended, it stays in the table of processes.
            is_dead = status == psutil.STATUS_ZOMBIE or _started(pid) != started
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None
        return None if is_dead else status


def _started(pid: int) -> str:
    """Return when process *pid* started, in a form that is compared only.

    It is no time of day: when clocks are set, what that gives for a process changes.
    """
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return f"{psutil.Process(pid).create_time():.0f}"
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{ticks} of {boot.read_text().strip()}"
