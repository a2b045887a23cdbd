"""Daemons and demonstrations as real processes, none of which outlives its test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from tests.faults.processes import family_of
from tests.waiting import DEADLINE, wait_for


class Demo:
    """A demonstration in a folder of its own, with what it prints."""

    def __init__(self, folder, *options):
        self.output = folder / f"output-{time.monotonic_ns()}.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "daemon.cli.main", "demo", *options],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(folder),
            )

    @property
    def text(self):
        return self.output.read_text()

    def wait_until_up(self):
        wait_for(lambda: "Ctrl-C" in self.text or self.process.poll() is not None, what="the start")
        assert "Ctrl-C" in self.text, self.text
        return self.url

    @property
    def url(self):
        line = next(line for line in self.text.splitlines() if line.endswith("the console"))
        return line.split()[0].rstrip("/")

    def get(self, path):
        return httpx.get(self.url + path, timeout=200)

    def family(self):
        return family_of(self.process.pid)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE)

    def kill(self):
        family = self.family()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(family, timeout=10)
        return family


def environment(folder):
    values = {name: value for name, value in os.environ.items() if name != "SCHEDULER_DATABASE"}
    return {**values, "PYTHONPATH": os.getcwd(), "TMPDIR": str(folder)}


@pytest.fixture
def start_demo(tmp_path):
    """Start demonstrations in tmp_path, on any free port unless options say otherwise."""
    started = []

    def start(*options):
        started.append(Demo(tmp_path, *(options or ("--port", "0"))))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.kill()


@pytest.fixture
def command(tmp_path):
    """Run `indico_scheduler` or another command of the project in tmp_path."""

    def run(*arguments, module="daemon.cli.main", stdin=""):
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE * 2,
            check=False,
        )

    return run
