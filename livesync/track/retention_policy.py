"""Retention: how long the track keeps changes, and for whom it does not wait any longer."""

from __future__ import annotations

from dataclasses import dataclass, fields

DAY = 24 * 3600


@dataclass(frozen=True)
class TrackRetention:
    """What the track keeps; times are seconds. ValueError for a value of no use."""

    keep: float = 7 * DAY
    """What every agent has had stays so long, for those that are rewound."""

    cut_off: float = 30 * DAY
    """For an agent that has an older change before it nothing is kept any more."""

    most: int = 1_000_000
    """With more changes on the track the slowest agents are not waited for either."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{field.name} is {value!r}: it must be at least 0")
