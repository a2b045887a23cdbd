"""The choice of one attempt of a task: by its number, or by the date at which it began."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from daemon.errors import DaemonException

if TYPE_CHECKING:  # the command line is parsed without the classes of tasks
    from scheduler.tasks import BaseTask
    from scheduler.tasks.attempt import Attempt

CHOICE = re.compile(r"\d{1,9}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)


def attempt_choice(text: str) -> str:
    """Return *text*, if it can name an attempt; raises ValueError."""
    if CHOICE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is neither the number of an attempt nor a date")
    return text.replace("T", " ")


def name_of_attempt(attempt: Attempt) -> str:
    """Return the choice that names *attempt*, and no other one of its task."""
    return f"{attempt.started:%Y-%m-%d %H:%M:%S.%f}"


def chosen_attempt(task: BaseTask, choice: str) -> Attempt:
    """Return the newest attempt of *task* that *choice* names; raises DaemonException.

    A task that was started again has several attempts with one number, but no date (UTC) twice.
    """
    attempts = task.getAttempts()
    for attempt in reversed(attempts):
        if choice == str(attempt.number) or _is_of(attempt, choice):
            return attempt
    known = ", ".join(f"{each.number} of {name_of_attempt(each)[:19]}" for each in attempts)
    raise DaemonException(
        f"there is no attempt {choice} of {task!r} on record; known: {known or 'none'}"
    )


def _is_of(attempt: Attempt, choice: str) -> bool:
    return len(choice) >= len("2026-01-01 00:00:00") and name_of_attempt(attempt).startswith(choice)
