"""Tasks for tests that wait for signals."""

from __future__ import annotations

from scheduler import attempt, nowutc, task
from scheduler.errors import SignalTimeoutError
from scheduler.store import current
from scheduler.tasks import IntervalTask


def note(what):
    """Add *what* to the notes of the database."""
    root = current().root()
    root["notes"] = [*root.get("notes", ()), what]


@task
def approve(number: int, timeout: float | None = None) -> object:
    note(f"began {number}")
    try:
        return attempt.waitForSignal(f"approved-{number}", timeout)
    except SignalTimeoutError:
        return "not approved"


@task
def approve_twice() -> list[object]:
    return [attempt.waitForSignal(name, 60) for name in ("first", "second")]


@task
def insist() -> None:
    attempt.waitForSignal("never", 60)


@task
def either() -> object:
    """Waits for the second where the first has not come."""
    try:
        return attempt.waitForSignal("first", 60)
    except SignalTimeoutError:
        return attempt.waitForSignal("second", 600)


@task(maxTries=100)
def collect(name: str) -> object:
    """Notes, by its number, what it received under *name*, for as often as it did."""
    payload = attempt.waitForSignal(name)
    received = current().root()["received"]
    received[attempt.id] = (*received.get(attempt.id, ()), payload)
    return payload


class Rounds(IntervalTask):
    """Waits for a signal at each of its dates."""

    def __init__(self):
        super().__init__(3600, start=nowutc())

    def run(self):
        return attempt.waitForSignal("round")
