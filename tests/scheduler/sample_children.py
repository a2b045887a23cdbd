"""Tasks for the tests that start other processes, hold the interpreter, or change signals."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import repeat
from pathlib import Path

from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import count

SLEEP = "import time; time.sleep(600)"


def sleep_long():
    time.sleep(600)


class WithChild(OneShotTask):
    """Starts a child in this way, writes the child's id to *file*, and waits for it."""

    maxTries = 1

    def __init__(self, start, file, way):
        super().__init__(start)
        self.file = file
        self.way = way

    def run(self):
        getattr(self, self.way)()
        count("count")

    def system(self):
        say = f"echo $$ > {self.file}.new; mv {self.file}.new {self.file}"
        os.system(f"{say}; sleep 600; true")  # noqa: S605 (a path of the test's own)

    def forked(self):
        child = os.fork()
        if not child:
            sleep_long()
        self._say(child)
        os.waitpid(child, 0)

    def joined(self):
        child = multiprocessing.get_context("fork").Process(target=sleep_long)
        child.start()
        self._say(child.pid)
        child.join()

    def inheriting(self):
        with subprocess.Popen([sys.executable, "-c", SLEEP], close_fds=False) as child:
            self._say(child.pid)

    def detached(self):
        with subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True) as child:
            self._say(child.pid)

    def detached_without_environment(self):
        command = [sys.executable, "-c", SLEEP]
        with subprocess.Popen(command, start_new_session=True, env={}) as child:
            self._say(child.pid)

    def deserted(self):
        self._desert()
        sleep_long()

    def deserting(self):
        self._desert()
        os._exit(7)

    def _desert(self):
        """Start a child as services start themselves, of which nobody is the parent."""
        middle = os.fork()
        if not middle:
            child = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
            self._say(child.pid)
            os._exit(0)
        os.waitpid(middle, 0)

    def exiting(self):
        child = os.fork()
        if not child:
            sleep_long()
        self._say(child)
        os._exit(7)

    def finishing(self):
        child = multiprocessing.get_context("fork").Process(target=sleep_long)
        child.start()
        self._say(child.pid)

    def _say(self, pid):
        Path(f"{self.file}.new").write_text(str(pid))
        Path(f"{self.file}.new").rename(self.file)


class WithChildLimited(WithChild):
    hardLimit = 1


class ListDescriptors(OneShotTask):
    """Returns what the descriptors of a program that it starts are."""

    def run(self):
        names = subprocess.run(
            ["sh", "-c", "ls -l /proc/self/fd"], close_fds=False, capture_output=True, text=True
        ).stdout
        return [line.rpartition(" -> ")[2] for line in names.splitlines() if " -> " in line]


class HoldInterpreter(OneShotTask):
    """Waits in C code for *seconds*, and lets no other thread of its process go on."""

    maxTries = 1

    def __init__(self, start, seconds):
        super().__init__(start)
        self.seconds = seconds

    def run(self):
        ctypes.PyDLL(None).usleep(int(self.seconds * 1e6))
        count("count")


class Compute(HoldInterpreter):
    """Computes in C code for some seconds, and lets no other thread of its process go on."""

    def run(self):
        sum(repeat(1, int(self.seconds * 1e8)))
        count("count")


class ChangeSignals(OneShotTask):
    """Leaves behind handlers, a timer and a mask of its own."""

    def run(self):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        signal.setitimer(signal.ITIMER_REAL, 0.5)


class EndChildren(OneShotTask):
    """Ends, as programs usually are, a program and a process that it has started."""

    def run(self):
        program = subprocess.Popen([sys.executable, "-c", SLEEP])
        process = multiprocessing.get_context("fork").Process(target=sleep_long)
        process.start()
        program.terminate()
        process.terminate()
        process.join()
        return [program.wait(), process.exitcode]


class DieCommitting(OneShotTask):
    """Takes its worker down in the middle of the commit, as often as it is tried."""

    maxTries = 1
    is_run = False

    def run(self):
        self.is_run = True

    def __getstate__(self):
        if self.is_run:
            os._exit(9)
        return super().__getstate__()


class DieLoading(OneShotTask):
    """Takes its worker down when it is loaded there."""

    maxTries = 1

    def __setstate__(self, state):
        super().__setstate__(state)
        if "scheduler.worker.process" in Path("/proc/self/cmdline").read_text():
            os._exit(9)

    def run(self):
        count("count")
