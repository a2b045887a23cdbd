"""Files: `/export/event/EVENT[/...]/material/MATERIAL/RESOURCE.bin` (reference 5.3.6)."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.http.request import ExportRequest
from export.http.result import File
from export.model.catalogue import catalogue
from export.settings import ExportSettings

PATTERN = re.compile(
    r"/export/event/(?P<event>\w+)(?:/session/(?P<session>\w+))?(?:/contrib/(?P<contrib>\w+))?"
    r"(?:/subcontrib/(?P<subcontrib>\w+))?/material/(?P<material>[^/]+)/(?P<resource>\w+)"
    r"\.(?P<format>\w+)",
    re.ASCII,
)
FORMATS = ("bin",)
UNKNOWN_TYPE = "application/octet-stream"


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> File:
    """Return the file that *match* names.

    Raises UnknownResource, and RefusedRequest for a file that *user* may not see.
    """
    owner = _owner(match)
    material = owner.find_material(match["material"]) if owner is not None else None
    resource = material.find(match["resource"]) if material is not None else None
    if material is None or resource is None:
        raise UnknownResource("File not found")
    if not material.canAccess(user):
        raise RefusedRequest("Access to this resource is restricted.")
    blob = getattr(resource, "blob", None)
    if blob is None:
        raise UnknownResource("Resource is not a file")
    content = blob.open("c")
    return File(
        content,
        Path(content.name).stat().st_size,
        resource.file_name,
        mimetypes.guess_type(resource.file_name)[0] or UNKNOWN_TYPE,
        datetime.fromtimestamp(blob._p_mtime, UTC),
    )


def _owner(match: re.Match[str]) -> Any:
    event = catalogue().event(match["event"])
    if event is None:
        return None
    owner: Any = event
    if match["session"]:
        owner = event.sessions.get(match["session"])
    if match["contrib"]:
        talk = event.getContributionById(match["contrib"])
        owner = talk if talk is not None and match["session"] in (None, _session_id(talk)) else None
    if match["subcontrib"] and match["contrib"]:
        parts: Iterator[Any] = iter(owner.subcontributions if owner is not None else ())
        owner = next((part for part in parts if part.getId() == match["subcontrib"]), None)
    return owner


def _session_id(contribution: Any) -> str | None:
    return contribution.session.getId() if contribution.session is not None else None
