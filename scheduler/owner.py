"""The process that something belongs to, and whether it still lives."""

from __future__ import annotations

import os

import psutil


class Owner(tuple[str, int, float]):
    """The process that a lane belongs to: host name, process id, and when it started."""

    __slots__ = ()

    @classmethod
    def this_process(cls) -> Owner:
        """Return the process that asks."""
        return cls((os.uname().nodename, os.getpid(), psutil.Process().create_time()))

    def is_gone(self) -> bool:
        """Say whether this was a process of this machine that has ended."""
        host, pid, started = self
        if host != os.uname().nodename:
            return False
        try:
            process = psutil.Process(pid)
            # Where nobody reaps what has ended, it stays in the table of processes.
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return is_dead or bool(abs(process.create_time() - started) > 1)
        except psutil.NoSuchProcess:
            return True
