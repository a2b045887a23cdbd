"""Delivery settings of one agent."""

from __future__ import annotations

from dataclasses import dataclass, fields

from scheduler.tasks.retry import Retry


@dataclass(frozen=True)
class DeliverySettings:
    """How records are delivered to an agent; times are seconds. ValueError for an invalid value."""

    window: int = 10_000
    """Maximum number of changes per delivery window (a bin is never split)."""

    enough: int = 1000
    """Number of undelivered changes from which on the agent does not linger."""

    linger: float = 0
    """Longest time that the oldest change waits for more changes."""

    parallel: int = 1
    """Number of concurrent connections; all records of an object use the same one."""

    tries: int = 10
    """Number of tries after which a refused record is a dead letter."""

    first: float = 2
    """Delay before the second retry; the first retry is immediate."""

    longest: float = 3600
    """Longest delay between retries."""

    limit: float = 300
    """Time without progress after which a run counts as lost; at least that of one batch."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and not isinstance(value, int):
                raise ValueError(f"{field.name} is {value!r}: it must be a whole number")
            least = 0 if field.name in {"linger", "first"} else 1
            if not least <= value < float("inf"):
                raise ValueError(f"{field.name} is {value!r}: it must be at least {least}")

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures, one after the other."""
        if failures <= 1:
            return 0
        return Retry(first=self.first, longest=self.longest).wait(failures - 1)
