"""The ending of an attempt: its line of the log, and the event that hooks hear of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from scheduler.clock import moment
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.states import TASK_STATUS_FINISHED
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.hooks import AttemptEvent
from scheduler.tasks.naming import name_of

log = logging.getLogger(__name__)

Call = Callable[[str, AttemptEvent], None]
OF_ATTEMPTS = ("on_success", "on_failure", "on_retry", "on_dead_letter")


class Ending(NamedTuple):
    """The line of the log for an attempt that has ended, and its event; told after the commit."""

    level: int = logging.NOTSET
    text: str = ""
    event: AttemptEvent | None = None
    error: BaseException | None = None
    """The exception whose traceback is logged."""

    def announce(self, call: Call = REGISTRY.call) -> None:
        """Log it, and *call* the hooks of its event."""
        if self.text:
            log.log(self.level, "%s", self.text, exc_info=self.error)
        if self.event is None:
            return
        if self.event.state == TASK_STATUS_FINISHED:
            call("on_success", self.event)
            return
        call("on_failure", self.event)
        call("on_retry" if self.event.retry_on else "on_dead_letter", self.event)


def event_of(
    task: BaseTask,
    attempt: Attempt,
    error: BaseException | None = None,
    retry_on: float | None = None,
) -> AttemptEvent | None:
    """Return the event of an *attempt* at *task* that has ended; None if no hook hears of it."""
    if not any(map(REGISTRY.having, OF_ATTEMPTS)):
        return None
    return AttemptEvent(
        task_id=task.getId() or 0,
        name=name_of(task),
        attempt=attempt.number,
        queue=task.queueName,
        state=attempt.state,
        started=attempt.started,
        ended=attempt.ended,
        message=attempt.message,
        traceback=attempt.traceback,
        worker=attempt.worker,
        retry_on=None if retry_on is None else moment(retry_on),
        error=error,
        headers=task.getHeaders(),
    )
