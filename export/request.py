"""A request: its path, its parameters, and the ones that every resource knows (reference 5.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import parse_qsl, unquote, unquote_plus
from zoneinfo import ZoneInfo

from werkzeug.wrappers import Request

from export.dates import parse_from, parse_to
from export.errors import MalformedRequest
from scheduler.clock import nowutc

LONGEST = 64 * 1024
"""How many characters path and query may have together."""

MAXIMUM = 1000
"""How many objects an answer has at most, of a detail without a limit of its own."""

INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)


class ExportRequest:
    """One request; parameters are taken one by one, of a repeated one the first."""

    def __init__(self, request: Request) -> None:
        self.method = request.method
        self.is_secure = request.is_secure
        self.authorization = request.headers.get("Authorization", "")
        self.path = request.path
        self.is_too_long = len(request.path) + len(request.query_string) > LONGEST
        query = b"" if self.is_too_long else request.query_string
        self.query = query.decode("utf-8", "replace")
        self._params: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            self._params.setdefault(name, value)

    @property
    def decoded_path(self) -> str:
        """The path as it is matched: decoded once more."""
        return unquote(self.path)

    @property
    def shown_query(self) -> str:
        """The query as answers repeat it, without the signature."""
        parts = self.query.split("&") if self.query else []
        return "&".join(part for part in parts if _name(part) != "signature")

    def take(self, *names: str) -> str | None:
        """Return the first parameter of *names* that was sent; None without one."""
        return next((self._params[name] for name in names if name in self._params), None)

    def take_flag(self, *names: str) -> bool:
        """Return whether the parameter is `yes`."""
        return self.take(*names) == "yes"

    def take_integer(self, *names: str) -> int:
        """Return a whole number, 0 where none was sent. Raises MalformedRequest."""
        text = self.take(*names)
        if not text:
            return 0
        if not INTEGER.fullmatch(text):
            raise MalformedRequest(f"Expected an integer for {names[-1]}")
        return int(text)


def _name(part: str) -> str:
    return unquote_plus(part.split("=", 1)[0]).lower()


@dataclass(frozen=True)
class Selection:
    """What a request wants to see of a resource's objects."""

    detail: str
    tz: tzinfo
    offset: int
    limit: int
    limit_is_given: bool
    order: str | None
    descending: bool
    start: datetime | None
    end: datetime | None


def select(
    request: ExportRequest, maxima: Mapping[str, int], default: str | None, zone: tzinfo
) -> Selection:
    """Return the common parameters, for details with these *maxima*.

    Without any, the resource has no details, and takes any word for one. Raises MalformedRequest.
    """
    offset = request.take_integer("O", "offset")
    if offset < 0:
        raise MalformedRequest("Offset must be a positive number")
    detail = request.take("d", "detail") or str(default)
    tz = _zone(request.take("tz"), zone)
    if maxima and detail not in maxima:
        raise MalformedRequest(f"Invalid detail level: {detail}")
    limit = request.take_integer("n", "limit")
    maximum = maxima.get(detail, MAXIMUM)
    if limit > maximum:
        raise MalformedRequest(
            f"You can only request up to {maximum} records per request "
            f"with the detail level '{detail}'"
        )
    start, end = request.take("f", "from"), request.take("t", "to")
    day = request.take("day")
    if day and (start or end):
        raise MalformedRequest("'day' can only be used without 'from' and 'to'")
    now = nowutc()
    return Selection(
        detail=detail,
        tz=tz,
        offset=offset,
        limit=limit if limit > 0 else maximum,
        limit_is_given=limit > 0,
        order=request.take("o", "order"),
        descending=request.take_flag("c", "descending"),
        start=parse_from(day or start or "", tz, now),
        end=parse_to(day or end or "", tz, now),
    )


def _zone(name: str | None, default: tzinfo) -> tzinfo:
    if not name:
        return default
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MalformedRequest(f"Bad timezone: '{name}'") from None
