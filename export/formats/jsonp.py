"""JSON inside the call of a function that the request names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from export.errors import MalformedRequest
from export.formats import json
from export.formats.json import dump
from export.http.request import ExportRequest

CONTENT_TYPE = "application/javascript"
NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*", re.ASCII)


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as the argument of the function `jsonp`. Raises MalformedRequest."""
    return f"{_beginning(request)}{dump(body, pretty)});".encode()


def pieces(
    body: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
    request: ExportRequest,
    *,
    pretty: bool,
) -> Iterator[bytes]:
    """Return the pieces of *body*, in the same call. Raises MalformedRequest."""
    inside = json.pieces(body, ending, request, pretty=pretty)
    return chain((_beginning(request).encode(),), inside, (b");",))


def _beginning(request: ExportRequest) -> str:
    name = request.take("jsonp") or "read"
    if not NAME.fullmatch(name):
        raise MalformedRequest("jsonp must name a function")
    return f"// fetched from Indico\n{name}("
