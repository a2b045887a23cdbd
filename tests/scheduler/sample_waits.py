"""Tasks for tests that wait for their results, and the program of a scheduler for them."""

from __future__ import annotations

import time
from pathlib import Path

from scheduler import attempt, nowutc, task
from scheduler.store.sealed_value import opened, sealed
from scheduler.tasks import OneShotTask

# A scheduler as a process of its own; it ends when its input does.
SCHEDULER = """
import sys, threading
from scheduler import Scheduler
scheduler = Scheduler(database=sys.argv[1], workers=1)
threading.Thread(target=lambda: (sys.stdin.read(), scheduler.shutdown()), daemon=True).start()
scheduler.run()
"""


@task
def double(number: int) -> int:
    return 2 * number


@task(maxTries=1)
def fail() -> None:
    raise ValueError("no such order")


@task(encrypted=True, unique=True)
def charge_once(card: str) -> None:
    """Do nothing."""


@task(encrypted=True)
def charge(card: str, copies: int = 1, order: object = None) -> dict[str, object]:
    attempt.checkpoint({"card": card})
    return {"charged": card, "copies": copies, "order": order}


@task(encrypted=True)
def approved():
    return attempt.waitForSignal("approval")


@task(encrypted=True)
def wait_for_file(go: str) -> None:
    while not Path(go).exists():
        time.sleep(0.01)


class Secretive(OneShotTask):
    encrypted = True

    def __init__(self, card):
        super().__init__(nowutc())
        self.card = sealed(card)

    def run(self):
        return opened(self.card)


class Sum(OneShotTask):
    def __init__(self):
        super().__init__(nowutc())

    def run(self):
        return sum(self.getInputs())
