"""Tasks for the tests of the daemon: at module level, so that worker processes can import them."""

from __future__ import annotations

import os
import time

from scheduler.tasks import IntervalTask, OneShotTask


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
