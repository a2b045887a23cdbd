"""Wishes: what somebody wants to have scheduled in a room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from export.model.booking_slots import Slots
from export.model.local_time import in_zone
from export.rooms.recurrence import Recurrence
from export.rooms.room import Room
from scheduler.schedules.rule import Rule

ONCE = Recurrence()


@dataclass(frozen=True)
class ScheduleRequest:
    """The schedule that somebody requests for a room."""

    name: str
    room: Room
    start_at: datetime
    duration: timedelta
    recurrence: Recurrence = ONCE
    template: Mapping[str, str] = field(default_factory=dict)
    """Values of metadata fields by their ids."""
    users: tuple[str, ...] = ()
    """Whom the recordings are shared with."""
    user_groups: tuple[str, ...] = ()

    @property
    def timing(self) -> tuple[Any, ...]:
        """The fields that decide when the room is taken."""
        return self.room, self.start_at, self.duration, self.recurrence

    def slots(self) -> list[Slots]:
        """Return what the room has to be booked for. Raises ValueError."""
        return self.recurrence.slots(self.local(self.start_at), self.duration)

    def local(self, moment: datetime) -> datetime:
        """Return *moment* by the clocks of the room."""
        return in_zone(moment, self.room.location.zone).replace(tzinfo=None)

    def rule(self, delay: timedelta) -> Rule:
        """Return when a task is to run, *delay* after each beginning. Raises ValueError."""
        return self.recurrence.rule(self.slots(), self.room.location.zone, delay)
