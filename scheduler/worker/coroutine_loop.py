"""The event loop of a worker, in which the coroutines of several attempts run."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, TypeAlias, cast

from scheduler.errors import HardLimitReached, TaskCancelled, TaskTimedOut
from scheduler.runtime.context import AttemptContext, current_run
from scheduler.worker.heartbeat import WorkerHeartbeat
from scheduler.worker.transaction_guard import Guard, guard_at_work

log = logging.getLogger(__name__)

# Seconds for which a coroutine may keep the loop from others before that is reported.
BLOCKED_SECONDS = 1.0
# Exceptions that asyncio lets out of its loop, whatever raises them there.
EXITS = (SystemExit, KeyboardInterrupt)

_Ended: TypeAlias = tuple[Any, BaseException | None]
"""The result of a coroutine, or the exit that it has raised."""


class CoroutineLoop:
    """An event loop in a thread of its own; attempts wait for their coroutines in their threads.

    A coroutine that keeps the loop from the others, as it calls what blocks, is reported;
    *heartbeat* shows which one has the loop.
    """

    def __init__(self, name: str, heartbeat: WorkerHeartbeat) -> None:
        self._name = name
        self._heartbeat = heartbeat
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(_named_task)
        self._tasks: dict[int, asyncio.Task[Any]] = {}  # by the number of the claim
        self._cancelled: set[int] = set()  # those cancelled before they were in the loop
        self._at_work = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"loop of {name}", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name=f"watch of {name}", daemon=True).start()

    def await_it(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the result of *coroutine*, which is that of the present attempt.

        Raises TaskTimedOut and HardLimitReached where it is over a limit, which it is cancelled
        at, and TaskCancelled where the attempt was.
        """
        run, guard = current_run(), guard_at_work()
        if run is None or guard is None:
            return asyncio.run(coroutine)
        stepped = _Stepped(coroutine, guard, run.claim.number, self._heartbeat)
        limited = self._limited(stepped, run)
        result, exit_ = asyncio.run_coroutine_threadsafe(limited, self._loop).result()
        if exit_ is not None:
            raise exit_
        return result

    def cancel(self, number: int) -> None:
        """Cancel the coroutine of claim *number*, or else as soon as it is in the loop."""
        with self._at_work:
            task = self._tasks.get(number)
            if task is None:
                self._cancelled.add(number)
        if task is not None:
            self._loop.call_soon_threadsafe(task.cancel)

    def forget(self, number: int) -> None:
        """Note that the attempt on claim *number* has ended."""
        with self._at_work:
            self._cancelled.discard(number)

    def close(self) -> None:
        """End the loop, in which nothing is at work any more."""
        with self._at_work:
            self._is_closed = True
            self._at_work.notify()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _limited(self, coroutine: _Stepped, run: AttemptContext) -> _Ended:
        run.thread = threading.get_ident()
        task = cast(asyncio.Task[Any], asyncio.current_task())
        with self._at_work:
            self._tasks[run.claim.number] = task
            self._at_work.notify()
            if run.claim.number in self._cancelled:
                task.cancel()
        try:
            return await _within_limits(coroutine, run), None
        except EXITS as exit_:
            return None, exit_  # let out, it would end the loop, and nobody would hear of it
        finally:
            with self._at_work:
                del self._tasks[run.claim.number]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._is_closed:  # a task may stop it
                self._run_on()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _run_on(self) -> None:
        try:
            self._loop.run_forever()
        except EXITS as exit_:
            log.info("the event loop of %s goes on after %r in it", self._name, exit_)

    def _watch(self) -> None:
        while self._wait_for_work():
            answered = threading.Event()
            self._loop.call_soon_threadsafe(answered.set)
            if not answered.wait(BLOCKED_SECONDS):
                self._report_block()
                answered.wait()
            else:
                threading.Event().wait(BLOCKED_SECONDS / 4)

    def _wait_for_work(self) -> bool:
        with self._at_work:
            self._at_work.wait_for(lambda: self._tasks or self._is_closed)
            return not self._is_closed

    def _report_block(self) -> None:
        task = asyncio.current_task(self._loop)
        frames = sys._current_frames()  # noqa: SLF001 (other threads are seen in no other way)
        frame = frames.get(self._thread.ident or 0)
        place = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        log.warning(
            "%s blocks the event loop of %s, in which %d coroutines are at work: it has not "
            "awaited for %g s, at %s; call what blocks with asyncio.to_thread",
            *("a callback" if task is None else task.get_name(), self._name),
            *(len(self._tasks), BLOCKED_SECONDS, place),
        )


def _named_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,
    context: Context | None = None,
) -> asyncio.Task[Any]:
    """Return a task that has the number of the attempt's task in its name."""
    run = current_run()
    name = None if run is None else f"task {run.claim.tid}"
    return asyncio.Task(coroutine, loop=loop, name=name, context=context)


async def _within_limits(coroutine: _Stepped, run: AttemptContext) -> Any:
    try:
        async with asyncio.timeout(run.hard_limit) as hard, asyncio.timeout(run.soft_limit) as soft:
            return await coroutine
    except TimeoutError as error:
        if hard.expired():
            text = f"the run took longer than its hard limit of {run.hard_limit:g} s"
            raise HardLimitReached(text) from error
        if soft.expired():
            text = f"the run is over its soft limit of {run.soft_limit:g} s"
            raise TaskTimedOut(text) from error
        raise
    except asyncio.CancelledError as error:
        raise TaskCancelled("the task was cancelled, or cancels itself") from error


class _Stepped:
    """A coroutine that has the transaction of its attempt in each of its steps."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        guard: Guard,
        number: int,
        heartbeat: WorkerHeartbeat,
    ) -> None:
        self._coroutine = coroutine
        self._guard = guard
        self._number = number
        self._heartbeat = heartbeat

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Any = self._coroutine.send
        argument: Any = None
        while True:
            with self._guard.in_this_thread():
                self._heartbeat.give_loop(self._number)
                try:
                    awaited = step(argument)
                except StopIteration as end:
                    return end.value
                finally:
                    self._heartbeat.give_loop(0)
            try:
                argument, step = (yield awaited), self._coroutine.send
            except BaseException as error:  # noqa: BLE001 (the coroutine is to hear of each)
                argument, step = error, self._coroutine.throw
