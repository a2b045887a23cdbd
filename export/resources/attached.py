"""Attachments and notes: `/export/attachments/EVENT[/...]`, `/export/note/EVENT[/...]`."""

from __future__ import annotations

from typing import Any

from export.errors import UnknownResource
from export.fossils.material import IAttachmentFossil, IFolderFossil
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import AT
from export.model.catalogue import catalogue
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml")


def answer_attachments(question: Question) -> ResultPage:
    """Return the attachments of an event or a part of it: those in no folder, and the folders."""
    part, view = _part(question), question.view
    folders = [folder for folder in part.folders if view.shows(folder)]
    loose = [
        view.show(one, IAttachmentFossil)
        for folder in folders
        if folder.default_folder
        for one in folder.attachments
        if view.shows(one)
    ]
    named = [view.show(one, IFolderFossil) for one in folders if not one.default_folder]
    return ResultPage({"attachments": loose, "folders": named})


def answer_note(question: Question) -> ResultPage:
    """Return the note of an event or a part of it, as its minutes."""
    note = _part(question).note
    if not note:
        raise UnknownResource("No such note")
    return ResultPage(dict(note) if isinstance(note, dict) else {"html": str(note)})


def _part(question: Question) -> Any:
    """Return the event or the part of it that the address names. Raises UnknownResource."""
    arguments = question.arguments
    event: Any = catalogue().event(arguments["event"])
    found, kind = event, "event"
    if event is not None and "session" in arguments:
        found, kind = event.sessions.get(arguments["session"]), "session"
    if event is not None and "contribution" in arguments:
        found, kind = event.getContributionById(arguments["contribution"]), "contribution"
    if found is not None and "sub" in arguments:
        parts = (one for one in found.subcontributions if one.getId() == arguments["sub"])
        found, kind = next(parts, None), "subcontribution"
    if found is None or not question.view.shows(found):
        raise UnknownResource(f"No such {kind}")
    return found


TALK = "/contribution/<word:contribution>"
PLACES = ("", "/session/<word:session>", TALK, f"{TALK}/<word:sub>")

ATTACHMENTS = Resource(
    "attachments",
    tuple(f"/export/attachments/<word:event>{place}.<word:format>" for place in PLACES),
    answer_attachments,
    formats=FORMATS,
    parameters=(AT,),
)
NOTE = Resource(
    "note",
    tuple(f"/export/note/<word:event>{place}.<word:format>" for place in PLACES),
    answer_note,
    formats=FORMATS,
    parameters=(AT,),
)
