"""Files: `/export/event/EVENT[/...]/material/MATERIAL/RESOURCE.bin` (reference 5.3.6)."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.http.question import Question
from export.http.result import File
from export.model.catalogue import catalogue
from export.resource import Resource

FORMATS = ("bin",)
UNKNOWN_TYPE = "application/octet-stream"


def answer(question: Question) -> File:
    """Return a file of an event or of a part of it."""
    arguments = question.arguments
    owner = _owner(arguments)
    material = owner.find_material(arguments["material"]) if owner is not None else None
    resource = material.find(arguments["resource"]) if material is not None else None
    if material is None or resource is None:
        raise UnknownResource("File not found")
    if not material.canAccess(question.user):
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


def _owner(arguments: Mapping[str, str]) -> Any:
    event = catalogue().event(arguments["event"])
    session, contrib = arguments.get("session"), arguments.get("contrib")
    subcontrib = arguments.get("subcontrib")
    if event is None:
        return None
    owner: Any = event
    if session:
        owner = event.sessions.get(session)
    if contrib:
        talk = event.getContributionById(contrib)
        owner = talk if talk is not None and session in (None, _session_id(talk)) else None
    if subcontrib and contrib:
        parts: Iterator[Any] = iter(owner.subcontributions if owner is not None else ())
        owner = next((part for part in parts if part.getId() == subcontrib), None)
    return owner


def _session_id(contribution: Any) -> str | None:
    return contribution.session.getId() if contribution.session is not None else None


PARTS = ("/session/<word:session>", "/contrib/<word:contrib>", "/subcontrib/<word:subcontrib>")
PLACES = ("".join(parts) for count in range(4) for parts in combinations(PARTS, count))

RESOURCE = Resource(
    "files",
    tuple(
        f"/export/event/<word:event>{place}/material/<id:material>/<word:resource>.<word:format>"
        for place in PLACES
    ),
    answer,
    formats=FORMATS,
)
