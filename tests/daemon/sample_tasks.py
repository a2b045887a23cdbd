"""Tasks for the tests of the daemon: at module level, so that worker processes can import them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

from scheduler.tasks import IntervalTask, OneShotTask

log = logging.getLogger(__name__)


class Good(OneShotTask):
    def run(self):
        self.getLogger().info("all is well")
        return {"answer": 42}


class Bad(OneShotTask):
    """Fails until there is a file *remedy*."""

    maxTries = 1

    def __init__(self, start, remedy):
        super().__init__(start)
        self.remedy = remedy

    def run(self):
        if not os.path.exists(self.remedy):
            raise ValueError("no luck")


class Worse(Bad):
    pass


class Long(OneShotTask):
    """Ends once there is a file *go*."""

    def __init__(self, start, go):
        super().__init__(start)
        self.go = go

    def run(self):
        self.setProgress(0.5, "half of it")
        while not os.path.exists(self.go):
            time.sleep(0.05)


class Beat(IntervalTask):
    def run(self):
        pass


class Chatty(OneShotTask):
    """Says one thing in each of the ways in which a task can."""

    queueName = "talk"
    maxTries = 1

    def run(self):
        log.debug("a detail")
        log.info("an event", extra={"invoice": 7})
        self.getLogger().warning("a warning")
        print("printed")
        print("to stderr", file=sys.stderr)
        print("\rhalf of it\rall of it", end="")
        subprocess.run(["echo", "from a program"], check=True)
        raise ValueError("password=secret is no luck")


class Flood(OneShotTask):
    """Prints *lines* lines."""

    def __init__(self, start, lines):
        super().__init__(start)
        self.lines = lines

    def run(self):
        for number in range(self.lines):
            print("line", number)
