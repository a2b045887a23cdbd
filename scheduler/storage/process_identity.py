"""Process identities: the process that something belongs to, and whether it has ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")
# The state of a process that shows nothing else of itself.
_ALIVE = "running"


class ProcessIdentity(tuple[str, int, str]):
    """A process: its boot and PID namespace, its pid, and its start time.

    Host names do not matter: containers share them, and so do machines made from one image.
    """

    __slots__ = ()

    @classmethod
    def this_process(cls) -> ProcessIdentity:
        """Return the identity of this process."""
        return cls((_namespace(), os.getpid(), _own_start(os.getpid())))

    @classmethod
    def holding(cls, lock: Path) -> ProcessIdentity | None:
        """Return the process of this namespace that holds the lock *lock*; None if unseen."""
        pid = next(_lockers(lock), None)
        try:
            return None if pid is None else cls((_namespace(), pid, _started(pid)))
        except (OSError, psutil.Error):
            return None

    @property
    def pid(self) -> int:
        """The process id."""
        return self[1]

    def is_here(self) -> bool:
        """Return whether this process belongs to the namespace of the caller."""
        return self[0] == _namespace()

    def is_gone(self) -> bool:
        """Return whether this process belongs to this namespace and has ended."""
        return self.is_here() and self._status() is None

    def is_stopped(self) -> bool:
        """Return whether this process belongs to this namespace and is stopped (SIGSTOP)."""
        return self.is_here() and self._status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """Kill the process if it belongs to this namespace and lives."""
        if not self.is_here():
            return
        with suppress(OSError):
            # Held fast first: a number may be given to another process at any time.
            held = os.pidfd_open(self.pid)
            try:
                if self._status() is not None:
                    signal.pidfd_send_signal(held, signal.SIGKILL)
            finally:
                os.close(held)

    def _status(self) -> str | None:
        """Return the state of the process; None for one that has ended."""
        _, pid, started = self
        if self == ProcessIdentity.this_process():
            return _ALIVE
        try:
            status: str = psutil.Process(pid).status()
            # Where nobody reaps what has ended, it stays in the table of processes.
            is_dead = status == psutil.STATUS_ZOMBIE or _started(pid) != started
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return _ALIVE if _is_hidden(pid) else None
        except (psutil.AccessDenied, PermissionError):
            return _ALIVE
        return None if is_dead else status


def this_boot() -> str:
    """Return the name of this boot of this machine."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{os.uname().nodename} since {psutil.boot_time():.0f}"


def _namespace() -> str:
    """Return the name of this boot of this machine and of this PID namespace."""
    return _namespace_of(os.getpid())


@cache
def _namespace_of(pid: int) -> str:
    try:
        namespace = os.stat(_PROC / "self/ns/pid").st_ino
        # The processes that /proc shows may be those of the namespace around this one.
        is_own = os.readlink(_PROC / "self") == str(pid)
    except OSError:
        return this_boot()
    unseen = "" if is_own else f", unseen {_unseen()}"
    return f"boot {this_boot()}, processes {namespace}{unseen}"


def _unseen() -> str:
    # No process is seen from here, not even this one's own number in /proc: what is a place
    # to others is none to it, and to each process its own.
    return (_PROC / "self/stat").read_text().split()[0]


def locker_of(lock: Path) -> int | None:
    """Return the process of this machine that holds the lock *lock*; None if none is seen.

    The file names the process that had it last, which may have ended long ago.
    """
    return next(_lockers(lock), None) or _opener_of(lock)


def _lockers(lock: Path) -> Iterator[int]:
    try:
        wanted = lock.stat()
        device = f"{os.major(wanted.st_dev):02x}:{os.minor(wanted.st_dev):02x}:{wanted.st_ino}"
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return
    holders = (line.split() for line in lines if "->" not in line)  # those are waiting
    pids = (int(holder[4]) for holder in holders if holder[5] == device and int(holder[4]) > 0)
    yield from (pid for pid in pids if psutil.pid_exists(pid))


def _opener_of(lock: Path) -> int | None:
    """Return a process that has *lock* open, as one that inherited it from the one that locked."""
    path = os.path.realpath(lock)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and path in {each.path for each in process.open_files()}:
                return int(process.pid)
        except (psutil.Error, OSError):
            continue
    return None


@cache
def _own_start(pid: int) -> str:
    return _started(pid)


def _started(pid: int) -> str:
    """Return when process *pid* started, in a form that is compared only.

    It is no time of day: when clocks are set, what that gives for a process changes.
    """
    name = "self" if pid == os.getpid() else str(pid)
    try:
        return (_PROC / name / "stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return f"{psutil.Process(pid).create_time():.0f}"


def _forget_namespace() -> None:
    # A child may be the first process of a namespace of its own, with the same number.
    _namespace_of.cache_clear()
    _own_start.cache_clear()


os.register_at_fork(after_in_child=_forget_namespace)


def _is_hidden(pid: int) -> bool:
    """Say whether process *pid* lives, though /proc does not show it to this user."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False  # a thread of another process, by now
