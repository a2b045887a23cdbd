"""The schedule of an event as JSON, as frab writes it, for programs of conferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.formats.json import dump
from export.formats.programme import programme
from export.formats.site import address_of
from export.http.request import ExportRequest

CONTENT_TYPE = "application/json"


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the schedule of the one event in *body*; *pretty* indents it."""
    (event,) = body["results"]
    schedule = programme(event, address_of(body, request))
    return dump({"generator": {"name": "zodb-relay"}, "schedule": schedule}, pretty).encode()
