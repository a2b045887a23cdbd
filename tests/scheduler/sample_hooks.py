"""Hooks and tasks for the tests of hooks: at module level, so that worker processes import them."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

from scheduler.hooks import Hooks
from scheduler.runtime.context import current_run
from scheduler.tasks import OneShotTask

inside = []


class Recording(Hooks):
    """Keeps what it hears, in `heard`; in a file as well, where HEARD names one."""

    def __init__(self):
        self.heard = []

    def _hear(self, *what):
        self.heard.append(what)
        if "HEARD" in os.environ:
            with Path(os.environ["HEARD"]).open("a") as file:
                file.write(" ".join(map(str, what)) + "\n")

    def on_enqueue(self, task):
        task.setHeader("from", "the client")
        self._hear("enqueue", type(task).__name__)

    def before_attempt(self, task):
        self._hear("before", type(task).__name__)

    @contextmanager
    def around_attempt(self, task):
        inside.append(task.getId())
        yield
        inside.remove(task.getId())

    def on_success(self, event):
        self._hear("success", event.name, event.attempt, event.headers)

    def on_failure(self, event):
        self._hear("failure", event.attempt, event.message)

    def on_retry(self, event):
        self._hear("retry", event.attempt)

    def on_dead_letter(self, event):
        self._hear("dead letter", event.attempt)

    def on_worker_lost(self, event):
        self._hear("worker lost", event.ending)


class Broken(Hooks):
    """Fails in all that it does."""

    def on_enqueue(self, task):
        raise ValueError("at enqueue")

    def before_attempt(self, task):
        raise ValueError("before")

    def around_attempt(self, task):
        raise SystemExit("around")

    def on_success(self, event):
        raise ValueError("at success")


class Leaving(Hooks):
    """Fails when an attempt is left."""

    @contextmanager
    def around_attempt(self, task):
        yield
        raise ValueError("leaving")


class Within(OneShotTask):
    """Succeeds where it is inside of the hook."""

    def run(self):
        assert inside == [self.getId()]
        assert current_run() is not None


class Failing(OneShotTask):
    maxTries = 2

    def run(self):
        raise ValueError("no luck")


class Suicide(OneShotTask):
    maxTries = 1

    def run(self):
        os.kill(os.getpid(), signal.SIGKILL)


not_a_hook = object()
