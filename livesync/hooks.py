"""Hooks into the change feed: what an application hears of changes and deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.hooks import Hooks, add, remove

__all__ = ["DeadRecordEvent", "DeliveryEvent", "DeliveryHooks", "add", "remove"]


@dataclass(frozen=True)
class DeliveryEvent:
    """A batch that a target has taken, or a run of an agent that failed."""

    agent_id: str
    ended: datetime
    records: int = 0
    """How many records the target has taken."""
    seconds: float = 0
    """How long that took."""
    reason: str = ""
    """Why the run failed; empty for a batch that was taken."""
    traces: tuple[str, ...] = ()
    """The traces (W3C traceparent) in which the changes of the batch were made, as far as known."""


@dataclass(frozen=True)
class DeadRecordEvent:
    """A record that a target refuses for good, or has refused too often."""

    agent_id: str
    text: str
    """The record, and the reason."""


class DeliveryHooks(Hooks):
    """Hooks that hear of agents too; methods are called as `scheduler.hooks.Hooks` says.

    A call means that the target has taken the records, and that this is committed.
    """

    declares_hooks = True

    def on_change(self, action: Any) -> None:
        """Hear that *action*, an ActionWrapper, is recorded, in the transaction that does so."""

    def on_delivered(self, event: DeliveryEvent) -> None:
        """Hear that the target of an agent has taken a batch."""

    def on_delivery_failed(self, event: DeliveryEvent) -> None:
        """Hear that a run of an agent has failed; it is made again later."""

    def on_record_dead_letter(self, event: DeadRecordEvent) -> None:
        """Hear that a record is a dead letter."""
