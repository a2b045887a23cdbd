"""A worker process, seen from the scheduler that has started it."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from mmap import mmap
from multiprocessing.connection import Pipe, wait
from typing import Any, TypeAlias

import psutil

from scheduler.executors.base import AttemptWatch, KillReason
from scheduler.executors.coroutine_watch import CoroutineWatch
from scheduler.executors.output_pipe import OutputPipe
from scheduler.executors.suspension import is_suspended
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import AttemptReport
from scheduler.states import TASK_STATUS_ABORTED
from scheduler.worker.family import MARK, descendants, kill_each, kill_marked
from scheduler.worker.heartbeat import SIZE, BegunClaims, WorkerHeartbeat, shared_memory
from scheduler.worker.log_forwarding import ForwardedLine
from scheduler.worker.outcome import Outcome
from scheduler.worker.process import FirstMessage

log = logging.getLogger(__name__)

# The kind (ready, done, adopted, awaited, returned, bye), the outcomes, the claims that were not
# run or are adopted, and the seconds taken.
Message: TypeAlias = tuple[str, list[Outcome], list[Claim], float]

# Seconds between checks for the end of a process, on systems without pidfd.
POLL_SECONDS = 0.2
# Checks without a heartbeat after which a worker counts as unresponsive.
MISSED_BEATS = 3


class WorkerProcess:
    """One worker process: its claims, its messages, and whether it lives.

    It leads a process group of its own, which ends with it, as does all else that its tasks have
    started. *receive* is called with each of its messages, *ended* when it has ended, in a thread
    of its own. Raises OSError if it cannot be started.
    """

    def __init__(
        self,
        start: FirstMessage,
        receive: Callable[[WorkerProcess, Message | AttemptReport | ForwardedLine], None],
        ended: Callable[[WorkerProcess], None],
    ) -> None:
        self.name = start.name
        self.held: dict[int, Claim] = {}
        self.adopted: set[int] = set()
        """The numbers of those claims of which coroutines are at work."""
        self.to_stop: dict[int, Claim] = {}
        """Those claims that are to be stopped as soon as their attempts have begun."""
        self.is_ready = False
        self.is_stuck = False
        """Whether it was asked to return claims, and has not ended its task since."""
        self.is_retired = False
        self.attempts = 0
        """How many attempts it has made."""
        self.is_lost = False
        """Whether its claims were reported as lost."""
        self.fault = ""
        """Empty, or the result of the last check: stopped, unresponsive."""
        self.watch = AttemptWatch()
        self.coroutines = CoroutineWatch()
        self.kill_reason: KillReason | None = None
        """Why it was killed, if it was."""
        self.killed: float | None = None
        """When it was killed, by the monotonic clock."""
        self.leaves: float | None = None
        """When it must have ended, by the monotonic clock, after it has said goodbye."""
        self._receive = receive
        self._ended = ended
        self._is_over = threading.Event()
        self._born = self._last_word = time.monotonic()
        self._beats = self._missed = self._stopped = 0
        self._pipe, theirs = Pipe()
        self._output = OutputPipe()
        self._mark = secrets.token_hex()
        memory = shared_memory()
        try:
            self.heartbeat = WorkerHeartbeat(mmap(memory, SIZE))
            self._process = _spawn(theirs.fileno(), memory, self._output.writer, self._mark)
        except OSError:
            self._output.close()
            raise
        finally:
            os.close(memory)
            os.close(self._output.writer)
            theirs.close()
        self.pid = self._process.pid
        self._sentinel = _sentinel(self.pid)
        self.send(start)
        self._listener = threading.Thread(
            target=self._listen, name=f"listener of {self.name}", daemon=True
        )
        self._listener.start()

    def give(self, claims: list[Claim], seen_from: bytes) -> None:
        """Hand *claims*, which can be seen from transaction *seen_from* on, to the process."""
        if not self.queued:
            self._last_word = time.monotonic()
        self.held.update((claim.number, claim) for claim in claims)
        self.send((seen_from, claims))

    def stop(self, claim: Claim) -> None:
        """End the attempt on *claim*, one that is held, as soon as it has begun."""
        self.to_stop[claim.number] = claim
        self.stop_begun()

    def stop_begun(self) -> None:
        """End the attempts that are to be stopped and have begun.

        A coroutine is cancelled, and has a grace to end in; else the process is killed.
        """
        begun = self.begun_claims().numbers()
        for claim in [each for number, each in self.to_stop.items() if number in begun]:
            del self.to_stop[claim.number]
            if claim.number in self.adopted:
                self.send(claim)
                self.coroutines.cancel(claim)
            else:
                self.kill(KillReason(TASK_STATUS_ABORTED, "cancelled", claim))

    def ask_back(self) -> None:
        """Ask for the claims that it has not begun; it is given no more until its task ends."""
        self._last_word = time.monotonic()
        self.is_stuck = True
        self.send("return")

    def memory(self) -> int:
        """Return the bytes of memory that the process uses; 0 if it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def look(self) -> int:
        """Check the heartbeat, once a second; return for how many checks it was stopped."""
        beats, before = self.heartbeat.beats, self.fault
        self._missed = 0 if beats != self._beats else self._missed + 1
        self._beats = beats
        self.fault = self._found()
        self._stopped = self._stopped + 1 if self.fault == "stopped" else 0
        if self.fault != before:
            log.warning("worker %s %s", self, _FAULT_TEXTS[self.fault])
        return self._stopped

    @property
    def state(self) -> str:
        """Empty, or why it does not work: starting, stopped, unresponsive."""
        return self.fault or ("" if self.is_ready else "starting")

    def retire(self) -> None:
        """Ask the process to end after its task and return its other claims."""
        self.is_retired = True
        self.send(None)

    def kill(self, kill_reason: KillReason) -> None:
        """Kill the process and its family at once, for the reason that *kill_reason* gives."""
        if self.kill_reason is None:
            self.kill_reason, self.killed = kill_reason, time.monotonic()
        self.watch.end()
        self.coroutines = CoroutineWatch()
        family = descendants(self.pid)  # as long as it lives, they can be told
        self._kill_group()
        kill_each(family)

    def send(self, message: object) -> None:
        """Send *message*; the listener notices a process that has ended."""
        try:
            self._pipe.send(message)
        except OSError:
            log.debug("worker %s does not take %r", self.name, message)

    def forget(self, claims: Sequence[Claim]) -> None:
        """Note that the process is done with *claims*."""
        for claim in claims:
            self.held.pop(claim.number, None)
            self.adopted.discard(claim.number)
            self.to_stop.pop(claim.number, None)
            self.coroutines.end(claim)

    def begun_claims(self) -> BegunClaims:
        """Return which claims it has begun, of those that are not known to be committed."""
        begun = self.heartbeat.begun_claims()
        return begun._replace(done=begun.done | self.adopted)

    @property
    def queued(self) -> int:
        """How many claims it holds that are no coroutines at work."""
        return len(self.held) - len(self.adopted)

    @property
    def can_take(self) -> bool:
        """Whether it may be given claims."""
        is_leaving = self.is_retired or self.is_lost or self.killed is not None
        return self.is_ready and not self.is_stuck and not is_leaving

    @property
    def signature(self) -> str:
        """The name under which it signs its attempts."""
        return f"{self.name}/{self.pid}"

    def silence(self) -> float:
        """Return the seconds since its last message."""
        return time.monotonic() - self._last_word

    def age(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self._born

    def ending(self) -> str:
        """Say how the process has ended, or that it has not."""
        status = self._process.returncode
        if status is None:
            return "has not ended yet"
        if status >= 0:
            return f"ended with status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"

    def wait(self, seconds: float) -> bool:
        """Wait *seconds* for its end; return whether it has ended."""
        return self._is_over.wait(max(0, seconds))

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    def _found(self) -> str:
        if self._missed < MISSED_BEATS:
            return ""
        if is_suspended(self.pid):
            return "stopped"
        return "unresponsive" if self.is_ready else ""

    def _listen(self) -> None:
        try:
            while ready := self._ready():
                if self._output in ready:
                    self._receive_output(self._output.lines())
                if self._pipe in ready:
                    message = self._pipe.recv()
                    self._last_word = time.monotonic()
                    self._receive(self, message)
        except (EOFError, OSError):
            pass
        except Exception:
            log.exception("worker %s killed: its message cannot be read", self)
        try:
            self._end()
        finally:
            self._ended(self)
            self._pipe.close()  # not before nobody sends any more
            self._is_over.set()

    def _receive_output(self, lines: list[str]) -> None:
        for line in lines:
            self._receive(self, ForwardedLine.printed(line, self.pid))

    def _ready(self) -> Sequence[object]:
        """Wait for a message, or output; return what has some, nothing if the process has ended.

        The end of the pipe alone is no sign: children of a task may keep it open.
        """
        sources: list[Any] = [self._pipe, *([self._output] if self._output.is_open else [])]
        if self._sentinel is not None:
            ready = wait([*sources, self._sentinel])
            return [] if self._sentinel in ready and self._pipe not in ready else ready
        while not (ready := wait(sources, POLL_SECONDS)):
            if self._process.poll() is not None:
                break
        return ready

    def _end(self) -> None:
        # Before the process is reaped: its number names its group as long as it is taken.
        self._kill_group()
        kill_marked(self._mark)
        with suppress(EOFError, OSError):
            while self._pipe.poll():
                self._receive(self, self._pipe.recv())  # what it has said before
        self._receive_output(self._output.close())
        self._process.wait()
        if self._sentinel is not None:
            os.close(self._sentinel)

    def _kill_group(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


_FAULT_TEXTS = {
    "": "answers again",
    "stopped": "is stopped, without a heartbeat",
    "unresponsive": "does not answer: its task holds the interpreter; it is waited for",
}


def _sentinel(pid: int) -> int | None:
    """Return a descriptor that is ready when process *pid* has ended; None without pidfd."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _spawn(pipe: int, memory: int, output: int, mark: str) -> subprocess.Popen[bytes]:
    code = "from scheduler.worker.process import main; main()"
    return subprocess.Popen(  # noqa: S603 (this very interpreter, a module of ours)
        [sys.executable, "-P", "-c", code, str(pipe), str(memory)],
        pass_fds=[pipe, memory],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        env={
            **os.environ,
            MARK: mark,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
    )
