"""Events by id: `/export/event/ID[-ID...]` (reference 5.3.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from export.fossilize import fossilize
from export.fossils.conference import (
    IConferenceFossil,
    IConferenceWithContribsFossil,
    IConferenceWithSessionsFossil,
    IConferenceWithSubContribsFossil,
)
from export.fossils.placed import IPeriodFossil
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.entry import natural
from export.request import ExportRequest, Selection, select
from export.result import Results
from export.settings import Settings

PATTERN = re.compile(r"/export/event/(?P<idlist>\w+(?:[-,]\w+)*)\.(?P<format>\w+)", re.ASCII)
MAXIMA = {"events": 1000, "contributions": 500, "subcontributions": 500, "sessions": 100}
FOSSILS = {
    "events": IConferenceFossil,
    "contributions": IConferenceWithContribsFossil,
    "subcontributions": IConferenceWithSubContribsFossil,
    "sessions": IConferenceWithSessionsFossil,
}
SHOWN_CLASSES = {"Folder": "folder", "Attachment": "attachment"}
NEVER = datetime.max.replace(tzinfo=UTC)


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Results:
    """Return the events that *match* names and *user* may see. Raises RequestException."""
    selection = select(request, MAXIMA, "events", settings.zone)
    occurrences = request.take_flag("occ", "occurrences")
    events = _sorted(list(_events(match["idlist"], user)), selection)
    last = selection.offset + selection.limit
    return Results(
        [
            _show(event, selection, occurrences, user, settings)
            for event in events[selection.offset : last]
        ],
        complete=selection.limit_is_given or len(events) <= last,
    )


def _events(idlist: str, user: str | None) -> Iterator[Conference]:
    found = catalogue()
    for event_id in dict.fromkeys(re.split("[-,]", idlist)):
        event = found.event(event_id)
        if event is not None and event.canAccess(user):
            yield event


def _sorted(events: list[Conference], selection: Selection) -> list[Conference]:
    if selection.order is None and not selection.descending:
        return events
    keys = {
        "start": lambda event: event.getStartDate() or NEVER,
        "end": lambda event: event.getEndDate() or NEVER,
        "title": lambda event: event.getTitle(),
    }
    key = keys.get(selection.order or "id", lambda event: natural(event.getId()))
    return sorted(events, key=key, reverse=selection.descending)


def _filters(user: str | None) -> dict[str, Callable[[Any], bool]]:
    def access(obj: Any) -> bool:
        return bool(obj.canAccess(user))

    def outside_sessions(contribution: Contribution) -> bool:
        session = contribution.session
        return access(contribution) and (session is None or not access(session))

    return {"access": access, "outside_sessions": outside_sessions}


def _show(
    event: Conference,
    selection: Selection,
    occurrences: bool,
    user: str | None,
    settings: Settings,
) -> dict[str, Any]:
    shown: dict[str, Any] = fossilize(
        event,
        FOSSILS[selection.detail],
        mapClassType=SHOWN_CLASSES,
        tz=selection.tz,
        base_url=settings.base_url,
        canModify=event.canModify(user),
        filters=_filters(user),
    )
    if occurrences:
        periods = event.getOccurrences(selection.start, selection.end)
        shown["occurrences"] = fossilize(periods, IPeriodFossil, tz=selection.tz)
    return shown
