"""Coroutine tasks for tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import transaction

from scheduler import attempt, nowutc, task
from scheduler.errors import WorkerLost
from scheduler.store import current
from scheduler.tasks import OneShotTask
from scheduler.tasks.retry import Retry


@task
async def doze(seconds: float) -> int | None:
    current().root()["dozed"].append(attempt.id)
    await asyncio.sleep(seconds)
    assert transaction.get() is current().transaction_manager.get()
    return attempt.id


@task
async def doze_briefly() -> None:
    await asyncio.sleep(0.1)


@task
async def meet(name: str) -> str:
    """Ends when as many coroutines have met as the database says."""
    met.add(name)
    while len(met) < current().root()["expected"]:
        await asyncio.sleep(0.01)
    numbers = await asyncio.gather(number(), asyncio.create_task(number()))
    assert numbers == [attempt.id] * 2
    return name


met: set[str] = set()


async def number() -> int | None:
    await asyncio.sleep(0)
    return attempt.id


class Doze(OneShotTask):
    def __init__(self):
        super().__init__(nowutc())

    async def run(self):
        await asyncio.sleep(0)
        return self.getId()


@task(maxTries=1)
async def fail() -> None:
    current().root()["lost"] = True
    await asyncio.sleep(0)
    raise ValueError("behind an await")


@task(maxTries=1, softLimit=0.1)
async def overdue() -> None:
    await asyncio.sleep(3600)


@task(maxTries=1, hardLimit=0.1)
async def endless() -> None:
    await asyncio.sleep(3600)


@task
async def block() -> None:
    time.sleep(1.6)


@task(maxTries=1, hardLimit=0.2)
async def block_over_limit(go: str) -> None:
    block_until(go)


@task(maxTries=1)
async def block_without_limit(go: str) -> None:
    block_until(go)


def block_until(go: str) -> None:
    """Keep the event loop until the file *go* is there, or somebody ends it."""
    while not Path(go).exists():
        time.sleep(0.01)


@task(maxTries=1, hardLimit=0.2)
async def cling(go: str) -> None:
    """Goes on behind its cancellation."""
    while not Path(go).exists():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)


@task(maxTries=1)
async def wait_for_file(go: str) -> bool:
    while not Path(go).exists():
        await asyncio.sleep(0.01)
    return True


@task(maxTries=1, hardLimit=0.2)
async def sleep_long() -> None:
    await asyncio.sleep(3600)


@task
async def commit() -> None:
    await asyncio.sleep(0)
    transaction.commit()


@task
async def in_parts() -> int:
    if attempt.state is None:
        current().root()["parts"] = 1
        await asyncio.sleep(0)
        attempt.checkpoint("second")
    current().root()["parts"] += 1
    return current().root()["parts"]


@task(maxTries=9, retries={WorkerLost: Retry(first=0.01)})
async def die_once(folder: str) -> None:
    """Its worker is killed while this and others are at work, the first time."""
    current().root()["deaths"].append(attempt.id)
    await asyncio.sleep(0.2)
    try:
        os.close(os.open(Path(folder, "died"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


async def _exit():
    sys.exit(3)


@task(maxTries=1)
async def leave(how):
    loop = asyncio.get_running_loop()
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "part":
        await asyncio.create_task(_exit())
    loop.call_soon({"callback": sys.exit, "stop": loop.stop}[how])
    await asyncio.sleep(0.05)
