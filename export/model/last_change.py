"""When stored objects were changed last, by the transactions that did it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.utils import z64


def time_of(serial: bytes) -> datetime:
    """Return when the transaction of *serial* was committed."""
    return datetime.fromtimestamp(TimeStamp(serial).timeTime(), UTC)


def last_change(*objects: Any) -> datetime:
    """Return when the last of *objects* was stored; also undoing and moving are changes.

    The change of an object that was never stored is the one that its `getModificationDate` tells.
    """
    return max(map(_changed, objects))


def _changed(obj: Any) -> datetime:
    modified: datetime = obj.getModificationDate()  # loads the object, and with it the serial
    serial = getattr(obj, "_p_serial", None)
    return modified if serial is None or serial == z64 else time_of(serial)
