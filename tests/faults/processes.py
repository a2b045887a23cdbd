"""The daemon as a process of its own, to be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import psutil

from tests.waiting import DEADLINE, wait_for


def family_of(pid):
    """Return the process *pid* and those below it, as far as they live."""
    try:
        own = psutil.Process(pid)
        return [own, *own.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class Daemon:
    """`indico_scheduler start --standalone` in *folder*, with these settings of the scheduler.

    *push* is that of livesync; the *environment* is that of the test, unless one is given.
    """

    def __init__(self, folder, uri, *, push=False, options=(), environment=None, **settings):
        self.log = folder / "daemon.log"
        config = folder / "relay.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        parts = ["[web]", "port = 0", "[livesync]", f"push = {json.dumps(push)}", "[scheduler]"]
        config.write_text("\n".join([*parts, *lines, ""]))
        self._command = [sys.executable, "-m", "daemon.cli.main", "start", "--standalone"]
        self._command += ["--database", uri, "--config", str(config), *options]
        self._environment = environment
        self.process = None
        self.start()

    def start(self):
        with self.log.open("a") as log:
            # In a group of its own, as a service or a terminal has it.
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, process_group=0, env=self._environment
            )

    def family(self):
        """Return the processes that live, its own first."""
        return family_of(self.process.pid)

    def kill(self):
        """Kill the daemon's process alone, and return when it is gone."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """Ask the daemon to end; return its exit status."""
        self.process.terminate()
        return self.process.wait(DEADLINE)

    def workers(self):
        """Return the worker processes that live."""
        try:
            children = psutil.Process(self.process.pid).children()
        except psutil.Error:
            return []
        return [child for child in children if is_worker(child)]

    def text(self):
        """Return what it has logged."""
        return self.log.read_text()

    def is_up(self):
        return f" {self.process.pid} INFO daemon.service the front end is at" in self.text()

    def wait_until_up(self):
        wait_for(self.is_up, DEADLINE)

    def close(self):
        """Leave no process behind."""
        workers = self.workers()
        self.kill()
        psutil.wait_procs(workers, timeout=10)
        for worker in workers:
            if worker.is_running():
                worker.kill()


def is_worker(process):
    """Say whether *process* is a worker of a scheduler that lives."""
    try:
        return any("scheduler.worker.process" in word for word in process.cmdline())
    except psutil.Error:
        return False


@contextmanager
def serving(file, port):
    """Run a ZEO server of the database *file*; give its process."""
    command = [sys.executable, "-m", "ZEO.runzeo", "-f", str(file), "-a", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(DEADLINE)
