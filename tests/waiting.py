"""Waits: for something that becomes true, with a deadline that only a fault meets."""

from __future__ import annotations

import time

DEADLINE = 120.0
PAUSE = 0.01


def wait_for(condition, seconds=DEADLINE, what="the condition"):
    """Wait until *condition*, a function, is true; return its value.

    Fails after so many *seconds*, with *what* was waited for.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(PAUSE)
    return value
