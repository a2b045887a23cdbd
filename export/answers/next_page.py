"""The next page: its address, which holds the state of the database that the first one was of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from export.http.request import ExportRequest
from export.http.selection import AT, CURSOR, OFFSET

REPLACED = {*OFFSET.names, *CURSOR.names}


def next_page(
    request: ExportRequest, base_url: str, following: Mapping[str, Any], position: str | None
) -> str:
    """Return the address of the page behind that of *request*.

    It has the parameters *following*, and for `at` the *position*, if that can be seen later.
    """
    replaced = {*REPLACED, *following, *(AT.names if position else ())}
    pairs = [pair for pair in parse_qsl(request.shown_query) if pair[0] not in replaced]
    at = [(AT.name, position)] if position else []
    return f"{base_url}{request.path}?{urlencode([*pairs, *at, *following.items()])}"
