"""Terms: how one agent is delivered to."""

from __future__ import annotations

from dataclasses import dataclass, fields

from scheduler.retry import Retry


@dataclass(frozen=True)
class DeliverySettings:
    """How an agent is delivered to; times are seconds. ValueError for a value of no use."""

    window: int = 10_000
    """How many changes are reduced together at the most, but for those of one bin."""

    enough: int = 1000
    """With so many changes before it an agent does not linger."""

    linger: float = 0
    """How long the oldest change may wait for others to go with it."""

    parallel: int = 1
    """How many connections deliver at once; an object's changes always go the same way."""

    tries: int = 10
    """How often a record is sent before it is a dead letter."""

    first: float = 2
    """The second wait after failures; there is none after the first one."""

    longest: float = 3600
    """The longest wait."""

    limit: float = 300
    """How long one batch may take until its run is given up for lost."""

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
