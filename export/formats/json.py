"""JSON as the reference prints it: slashes escaped, dates as {date, time, tz}."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from persistent.list import PersistentList
from persistent.mapping import PersistentMapping

from export.http.request import ExportRequest

CONTENT_TYPE = "application/json"
INDENT = 4


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as JSON; *pretty* indents it."""
    return dump(body, pretty).encode()


def pieces(
    body: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
    request: ExportRequest,
    *,
    pretty: bool,
) -> Iterator[bytes]:
    """Yield *body* as `write` returns it, with the members of *ending* behind the results."""
    line, inner = ("\n" + " " * INDENT, "\n" + " " * 2 * INDENT) if pretty else (" ", " ")
    head = dump({key: value for key, value in body.items() if key != "results"}, pretty)
    yield f'{head.removesuffix("}").rstrip()},{line}"results": ['.encode()
    separator = inner.lstrip(" ")
    for each in body["results"]:
        yield (separator + dump(each, pretty).replace("\n", inner)).encode()
        separator = f",{inner}"
    last = dump(ending(), pretty).removeprefix("{").lstrip()
    yield f"{line.lstrip(' ')}],{line}{last}".encode()


def dump(body: Mapping[str, Any], pretty: bool) -> str:
    """Return *body* as JSON text, in ASCII."""
    return json.dumps(body, indent=INDENT if pretty else None, default=_plain).replace("/", "\\/")


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
