"""The results of sending: the records that were accepted, settled or refused."""

from __future__ import annotations

from typing import Any, NamedTuple


class RefusedRecord(NamedTuple):
    """A record that was not taken."""

    mark: str
    name: str
    """The name of the dead letter that it becomes."""

    record: Any
    reason: str
    tries: int
    """How often it had been sent before."""

    is_final: bool


class BatchResults(NamedTuple):
    """The results of a delivery since the last time that they were collected."""

    accepted: list[str]
    settled: list[str]
    """The dead letters that are settled."""

    refused: list[RefusedRecord]
    seconds: float
    traces: tuple[str, ...] = ()
    """The traces in which the changes were made that were read for it."""

    def __bool__(self) -> bool:
        return any(self[:3])

    @property
    def marks(self) -> list[str]:
        """The marks of the records that are dealt with."""
        return [*self.accepted, *(refused.mark for refused in self.refused)]


NO_RESULTS = BatchResults([], [], [], 0.0)
