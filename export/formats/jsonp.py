"""JSON inside the call of a function that the request names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from export.errors import MalformedRequest
from export.formats.json import dump
from export.http.request import ExportRequest

CONTENT_TYPE = "application/javascript"
NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*", re.ASCII)


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as the argument of the function `jsonp`. Raises MalformedRequest."""
    name = request.take("jsonp") or "read"
    if not NAME.fullmatch(name):
        raise MalformedRequest("jsonp must name a function")
    return f"// fetched from Indico\n{name}({dump(body, pretty)});".encode()
