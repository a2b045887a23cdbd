"""Times in a zone, also at the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(microsecond=0, tzinfo=UTC)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return *moment*, which is aware, as the clocks of *zone* show it.

    A time that they cannot show, before year 1 or after 9999, is the first or the last they can.
    """
    try:
        return moment.astimezone(zone)
    except OverflowError:
        edge = EARLIEST if moment.year < LATEST.year else LATEST
        return edge.replace(tzinfo=zone)


def in_utc(moment: datetime) -> datetime:
    """Return *moment*, which is aware, as UTC; see in_zone."""
    return in_zone(moment, UTC)


def iana_zone(name: str) -> ZoneInfo | None:
    """Return the zone that IANA calls *name*, or None."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return None
