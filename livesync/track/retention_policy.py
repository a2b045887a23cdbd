"""Retention: how long the track keeps changes, and for whom it does not wait any longer."""

from __future__ import annotations

from dataclasses import dataclass, fields

DAY = 24 * 3600


@dataclass(frozen=True)
class TrackRetention:
    """How long the track keeps changes; times are seconds. ValueError for an invalid value."""

    keep: float = 7 * DAY
    """How long changes stay that all agents have delivered, so that agents can be rewound."""

    cut_off: float = 30 * DAY
    """An agent with an older undelivered change is cut off: nothing is kept for it any more."""

    most: int = 1_000_000
    """With more changes on the track the slowest agents are not waited for either."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{field.name} is {value!r}: it must be at least 0")
