"""Hooks: the methods that an application overrides to take part in the life of its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from scheduler.clock import nowutc
from scheduler.runtime.hook_registry import HookMethods
from scheduler.states import TASK_STATUS_FAILED
from scheduler.tasks.base import BaseTask


@dataclass(frozen=True)
class AttemptEvent:
    """An attempt that has ended, and whose end is committed."""

    task_id: int
    name: str
    """The dotted name of the task's class, or of the function that it calls."""
    attempt: int
    """The number of the attempt, from 1; 0 for a task that cannot be loaded."""
    queue: str
    state: int
    """FINISHED, FAILED or TERMINATED, as in `scheduler.states`."""
    started: datetime
    ended: datetime
    message: str = ""
    """Why it failed: the exception's class and text; empty for success."""
    traceback: str = ""
    worker: str = ""
    """The name and process id of the worker."""
    retry_on: datetime | None = None
    """When the next attempt is made; None after the last one."""
    error: BaseException | None = None
    """The exception, where the attempt ended in this process by one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers of the task, see `BaseTask.setHeader`."""

    @classmethod
    def unread(cls, task_id: int, name: str, reason: str) -> AttemptEvent:
        """Return the event of a task that cannot be loaded, for this *reason*."""
        now = nowutc()
        return cls(task_id, name, 0, "", TASK_STATUS_FAILED, now, now, reason)

    @property
    def seconds(self) -> float:
        """How long the attempt took."""
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True)
class WorkerEvent:
    """A worker process that has ended without being asked to."""

    worker: str
    """The name and process id of the worker."""
    ending: str
    """How it has ended, as in "was killed by SIGKILL"."""
    task_ids: tuple[int, ...]
    """The numbers of the tasks that it had begun."""


class Hooks(HookMethods):
    """A base class for hooks: override the methods that you need, and register an instance.

    An exception of a hook is logged, once for each method, and has no other effect. Methods are
    called in the thread that makes attempts, but `on_worker_lost` and the events of attempts
    that the scheduler itself ends: these are called in a thread of the scheduler's process. A
    hook that takes long holds its thread up.
    """

    declares_hooks = True

    def on_enqueue(self, task: BaseTask) -> None:
        """Hear that *task* is enqueued, in the transaction that does so and may still abort."""

    def before_attempt(self, task: BaseTask) -> None:
        """Hear that an attempt at *task* begins, in its transaction.

        An attempt that meets a conflict is made again, and this is called again.
        """

    def around_attempt(self, task: BaseTask) -> AbstractContextManager[object]:
        """Return a context in which *task* is prepared, run and torn down."""
        return nullcontext()

    def on_success(self, event: AttemptEvent) -> None:
        """Hear that an attempt has succeeded."""

    def on_failure(self, event: AttemptEvent) -> None:
        """Hear that an attempt has failed, whether there is another one or not."""

    def on_retry(self, event: AttemptEvent) -> None:
        """Hear that an attempt has failed and another one is made on `event.retry_on`."""

    def on_dead_letter(self, event: AttemptEvent) -> None:
        """Hear that a task is a dead letter: it failed for good, or cannot be loaded."""

    def on_worker_lost(self, event: WorkerEvent) -> None:
        """Hear that a worker process was lost."""
