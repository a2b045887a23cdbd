"""The failure of an attempt: the task waits for its next try, or has failed for good."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from scheduler.clock import within_calendar
from scheduler.store.missing_class import reason_of
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import title_of
from scheduler.tasks.retry import Retry, paced, retry_for
from scheduler.worker.ending import Ending, event_of

log = logging.getLogger(__name__)


def fail(task: BaseTask, attempt: Attempt, error: BaseException, max_tries: int) -> Ending:
    """Record a try that failed with *error*; return its ending for log and hooks.

    The task is tried again, or has failed when its tries are used up: those of the policy for
    the class of *error*, else of the task, else *max_tries*.
    """
    retry = retry_for(type(error), _own_retries(task))
    tries = retry.tries or own_tries(task) or max_tries
    event = f"{named(task)} failed on try {attempt.number} of {tries}"
    message = one_line(attempt.message)
    if attempt.number < tries:
        wait = paced(retry.wait(attempt.number), attempt.number)
        retry_on = within_calendar(attempt.ended.timestamp() + wait)
        TaskHandle(task).retry(attempt, retry_on)
        text = f"{event}, the next is in {wait:.1f} s: {message}"
        return Ending(logging.WARNING, text, event_of(task, attempt, error, retry_on), error)
    TaskHandle(task).end(attempt)
    text = f"{event}, for good: {message}"
    return Ending(logging.ERROR, text, event_of(task, attempt, error), error)


def terminate(task: BaseTask, attempt: Attempt) -> Ending:
    """Record an attempt that was over its hard limit; return its ending for log and hooks."""
    TaskHandle(task).end(attempt)
    text = f"{named(task)} is terminated: {attempt.message}"
    return Ending(logging.ERROR, text, event_of(task, attempt))


def _own_retries(task: BaseTask) -> Mapping[type[BaseException], Retry]:
    """Return `retries` of *task*; an empty table where it cannot be used."""
    try:
        table = dict(task.retries)
    except Exception as error:  # noqa: BLE001 (it may be a property of the application)
        log.warning("%s has no usable retries: %s", named(task), reason_of(error))
        return {}
    return table


def own_tries(task: BaseTask) -> int | None:
    """Return `maxTries` of *task*; None where it cannot be used."""
    try:
        tries = task.maxTries
    except Exception as error:  # noqa: BLE001 (it may be a property of the application)
        log.warning("%s has no usable maxTries: %s", named(task), reason_of(error))
        return None
    if tries is None or (isinstance(tries, int) and tries >= 0):
        return tries
    log.warning("%s has maxTries %r; it must be a whole number from 1", named(task), tries)
    return None


def named(task: BaseTask) -> str:
    """Return how the log names *task*: by its number, and its class or the function it calls."""
    return f"task {task.getId()} ({title_of(task)})"


def one_line(text: str) -> str:
    """Return *text* without line breaks: a failure is one line of the log."""
    return " ".join(text.split())
