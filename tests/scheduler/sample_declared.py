"""Functions that are declared as tasks, for tests: at module level, so that workers import them."""

from __future__ import annotations

import os
import time

from persistent import Persistent

from scheduler import TASK_STATUS_FINISHED, attempt, task
from scheduler.states import AT_WORK, WAITING
from scheduler.store import current
from scheduler.values.retention_policy import Keep


class Account(Persistent):
    """An object with a method that is a task."""

    balance = 0

    @task(maxTries=2)
    def deposit(self, amount: int) -> int:
        self.balance += amount
        if amount < 0:
            raise ValueError("nothing is taken here")
        return self.balance

    def __repr__(self):
        raise RuntimeError("nobody may see this")


def append(name, value):
    root = current().root()
    root[name] = (*root.get(name, ()), value)


@task
def bare(value: int) -> int:
    append("bare", value)
    return value


@task
async def bare_coroutine(value: int) -> int:
    return value


@task(maxTries=1)
def bad(value: object) -> None:
    raise ValueError(f"no luck with {type(value).__name__}")


@task(maxTries=1)
def log_in(user: str, password: str, *, token: str = "") -> None:
    raise ValueError("refused")


@task(queueName="mail", priority=7, expiry=60)
def send(address: str) -> None:
    append("sent", address)


@task(limitKey="account {number}", keyLimit=1, inOrder=True)
def book(number: int, text: str) -> None:
    root = current().root()
    append("booked", text)
    root[f"at work on {number}"] = root.get(f"at work on {number}", 0) + 1


@task(limitKey=lambda number, text="": f"by function {number}")
def book_by_function(number: int, text: str = "") -> None:
    pass


@task(uniqueKey="index of {name}")
def index(name: str, why: str = "") -> None:
    append("indexed", name)


@task(unique=True, uniqueFor=3600)
def remind(name: str) -> None:
    append("reminded", name)


@task(keepFinished=Keep(count=2))
def noise(number: int) -> None:
    pass


@task(alone=True)
def apart() -> None:
    pass


@task(hardLimit=0.5)
def hang() -> None:
    time.sleep(60)


@task(limitKey="host {host}", keyLimit=None, keyRate=3, keyPeriod=10)
def fetch(host: str, number: int) -> None:
    pass


@task(limitKey="ordered {number}", inOrder=True, keyRate=2, keyPeriod=0.2)
def in_order(number: int, value: int) -> None:
    append("in order", value)


@task(uniqueKey="sync {name}", uniqueStates=WAITING)
def sync(name: str, go: str = "") -> None:
    append("synced", name)
    while go and not os.path.exists(go):
        time.sleep(0.01)


@task(uniqueKey="once {name}", uniqueStates={*AT_WORK, TASK_STATUS_FINISHED})
def once(name: str) -> None:
    append("once", name)


@task(uniqueKey="page {page}", uniqueReplaces=True, uniqueStates=WAITING, longestWait=60)
def refresh_page(page: str, version: int) -> None:
    append("refreshed", version)


def pages(number):
    yield number


def foreign():
    pass


foreign.options = {"maxTries": 0}


def call_with(function, value):
    return function(value)


@task
def follow(name):
    return f"{name}: {', '.join(map(str, flat(attempt.inputs)))}".strip()


def flat(inputs):
    return [part for each in inputs for part in (each if isinstance(each, list) else [each])]


def named(name):
    """Return a call that tells its name and its inputs."""
    return follow.step(name)
