"""JSON as the reference prints it: slashes escaped, dates as {date, time, tz}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from persistent.list import PersistentList
from persistent.mapping import PersistentMapping

from export.http.request import ExportRequest

CONTENT_TYPE = "application/json"


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as JSON; *pretty* indents it by four blanks."""
    return dump(body, pretty).encode()


def dump(body: Mapping[str, Any], pretty: bool) -> str:
    """Return *body* as JSON text, in ASCII."""
    return json.dumps(body, indent=4 if pretty else None, default=_plain).replace("/", "\\/")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        tz = str(value.tzinfo)
        return {"date": value.date().isoformat(), "tz": tz, "time": value.time().isoformat()}
    if isinstance(value, PersistentMapping | PersistentList):
        return value.data
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
