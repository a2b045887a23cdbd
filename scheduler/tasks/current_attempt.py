"""The current attempt: what a function may ask of it, and whatever the function calls."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.runtime.context import AttemptContext, current_run
from scheduler.tasks.attempt import MESSAGE_KEPT
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.signal_wait import payload_of

if TYPE_CHECKING:
    from scheduler.runtime.http import TaskClient

T = TypeVar("T")


class CurrentAttempt:
    """The attempt that is made here, in this thread or coroutine; false outside of one.

    Outside of an attempt, where a function is called by itself, `id` and `deadline` are None, and
    nothing is reported or cancelled.
    """

    def __bool__(self) -> bool:
        return current_run() is not None

    @property
    def id(self) -> int | None:
        """The number of the task."""
        run = current_run()
        return None if run is None else run.claim.tid

    @property
    def task(self) -> BaseTask | None:
        """The task itself."""
        run = current_run()
        return None if run is None else run.task

    @property
    def number(self) -> int:
        """Which try of the occurrence this is, from 1."""
        return self._asked(lambda task: TaskHandle(task).tries + 1, 1)

    @property
    def occurrence(self) -> int:
        """The number of the occurrence among those of the task, from 0."""
        return self._asked(lambda task: TaskHandle(task).occurrence_number, 0)

    @property
    def date(self) -> datetime | None:
        """The date that the occurrence is for, in UTC: that of the schedule, or of the task."""
        return self._asked(lambda task: task.getStartOn(), None)

    @property
    def log(self) -> logging.Logger:
        """The logger whose lines, from INFO on, are kept with the record of the attempt."""
        return self._asked(lambda task: task.getLogger(), logging.getLogger("task"))

    @property
    def inputs(self) -> list[Any]:
        """The results of the step before in a chain: of a task one, of a group all of them."""
        return self._asked(lambda task: task.getInputs(), [])

    @property
    def deadline(self) -> datetime | None:
        """When the attempt is over its `softLimit` or `hardLimit`; None without one."""
        run = current_run()
        return None if run is None else run.deadline

    @property
    def http(self) -> TaskClient:
        """The client for HTTP calls, an `httpx.Client`: see `scheduler.runtime.http.TaskClient`.

        It is closed with the attempt; outside of one it is a new client each time.
        """
        from scheduler.runtime.http import TaskClient  # imports httpx, which few attempts use

        run = current_run()
        return TaskClient() if run is None else run.http

    @property
    def random(self) -> random.Random:
        """The generator of random numbers: a replay gets the same ones (no secrets)."""
        run = current_run()
        return random.Random() if run is None else run.random  # noqa: S311 (as documented)

    def key(self) -> str:
        """Return an idempotency key for the next side effect, such as a call to the outside.

        It is the same in each attempt of an occurrence, and another one for each call of this
        method. Raises RuntimeError outside of an attempt.
        """
        run = current_run()
        if run is None:
            raise RuntimeError("there is no attempt here: only an attempt's calls have keys")
        return run.key()

    def progress(self, fraction: float, message: str = "") -> None:
        """Show clients how far the attempt has come: a part from 0 to 1, and a text."""
        run = current_run()
        if run is not None:
            run.report(min(1.0, max(0.0, float(fraction))), str(message)[:MESSAGE_KEPT])

    def waitForSignal(self, name: str, timeout: float | None = None) -> Any:
        """Return the payload of the signal *name*, which `Client.signal` gives.

        Where it has not come yet, the attempt ends with WaitForSignal: its changes are aborted,
        and the task is run anew when the signal comes. Raises SignalTimeoutError in the attempt
        that is made after *timeout* seconds without it; RuntimeError outside of an attempt.
        """
        task = self.task
        if task is None:
            raise RuntimeError("there is no attempt here: only a task waits for signals")
        return payload_of(task, name, timeout)

    @property
    def state(self) -> Any:
        """The state of the last checkpoint of this occurrence; None before the first one."""
        return self._asked(lambda task: TaskHandle(task).checkpoint_state, None)

    def checkpoint(self, state: Any = None) -> None:
        """Commit what the attempt has done so far, together with *state*, the place to go on from.

        An attempt that fails later, or whose worker is killed, leaves this, and the next one
        finds *state* in `attempt.state`. Raises conflicts as the end of an attempt meets them: let
        them through. Outside of an attempt it does nothing.
        """
        run = current_run()
        if run is not None:
            run.checkpoint(state)

    def checkCancelled(self) -> None:
        """Raise TaskCancelled or TaskTimedOut where the attempt is to end."""
        run = current_run()
        if run is not None:
            run.check()

    def _asked(self, ask: Callable[[BaseTask], T], outside: T) -> T:
        run: AttemptContext | None = current_run()
        return outside if run is None or run.task is None else ask(run.task)


attempt = CurrentAttempt()
"""The attempt that is made here: `from scheduler import attempt`."""
