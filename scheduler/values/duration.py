"""Periods: lengths of time as people write them, such as `30d`."""

from __future__ import annotations

import math
import re

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def period(value: object) -> float:
    """Return *value*, a number of seconds or a text such as "90", "15m", "12h", "30d", "2w".

    "forever" and `math.inf` are periods too. ValueError for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    if value == "forever":
        return math.inf
    written = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", value) if isinstance(value, str) else None
    if written is None:
        raise ValueError(
            f"{value!r} is no period: give seconds, or a text such as '12h', '30d' or 'forever'"
        )
    return float(written[1]) * UNITS[written[2]]
