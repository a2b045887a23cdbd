"""Tasks for tests that make checkpoints."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from scheduler import attempt, task
from scheduler.errors import WorkerLost
from scheduler.store import current
from scheduler.tasks.retry import Retry

AGAIN = {WorkerLost: Retry(first=0.01), ValueError: Retry(first=0.01)}

began, go_on = threading.Event(), threading.Event()


def copied():
    return current().root()["copied"]


def once(file):
    """Say whether this is the first call for *file*, in whichever process."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@task(maxTries=50, retries=AGAIN)
def copy_all(number: int, folder: str, step: int) -> int:
    """Copies numbers, *step* between two checkpoints, and is killed at each one twice."""
    start = attempt.state or 0
    for each in range(start, number):
        copied().append((each, attempt.key()))
        if step and each % step == step - 1:
            if once(Path(folder, f"before {each}")):
                os.kill(os.getpid(), signal.SIGKILL)
            attempt.progress(each / number, f"copied {each}")
            attempt.log.info("copied %d", each)
            attempt.checkpoint(each + 1)
            if once(Path(folder, f"after {each}")):
                os.kill(os.getpid(), signal.SIGKILL)
    return start


@task(maxTries=5, retries=AGAIN)
def fail_once(folder: str) -> object:
    """Fails behind its checkpoint, the first time."""
    if attempt.state is None:
        copied().append("before")
        attempt.checkpoint({"at": 1})
        copied().append("lost")
        raise ValueError("behind the checkpoint")
    copied().append("after")
    return attempt.state


@task
def note(what: str) -> None:
    copied().append(what)


@task
def wait_before_checkpoint() -> None:
    if attempt.state is None:
        copied().append("first")
        attempt.checkpoint(1)
    began.set()
    go_on.wait(90)
    copied().append("second")
    attempt.checkpoint(2)


@task(maxTries=1)
def keep_too_much() -> None:
    attempt.checkpoint("a" * 2_000_000)


@task(maxTries=1)
def keep_what_cannot_be_stored() -> None:
    copied().append("lost")
    attempt.checkpoint(threading.Lock())
