"""Contributions of an event: `/export/event/EVENT/contribution/ID[-ID...]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from export.errors import UnknownResource
from export.fossils.contribution import IContributionFossil, IContributionWithSubContribsFossil
from export.http.page import cut
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.settings import ExportSettings

PATTERN = re.compile(
    r"/export/event/(?P<event>\w+)/contribution/(?P<idlist>\w+(?:[-,]\w+)*)\.(?P<format>\w+)",
    re.ASCII,
)
FORMATS = ("json", "jsonp", "xml", "ics", "atom")
MAXIMA = {"contributions": 500, "subcontributions": 500}
FOSSILS = {
    "contributions": IContributionFossil,
    "subcontributions": IContributionWithSubContribsFossil,
}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the contributions that *match* names and *user* may see. Raises RequestException."""
    view = View(user, select(request, MAXIMA, "contributions", settings.zone), settings)
    event = event_of(match, view)
    page = cut(_contributions(event, match["idlist"], view), view.selection)
    fossil = FOSSILS[view.selection.detail]
    return ResultPage(
        [{**view.show(one, fossil, event), "conferenceId": event.getId()} for one in page.members],
        page.complete,
    )


def event_of(match: re.Match[str], view: View) -> Conference:
    """Return the event that *match* names.

    Raises UnknownResource; an event that the caller may see nothing of is unknown to them.
    """
    event = catalogue().event(match["event"])
    if event is None or not (view.shows(event) or any(map(view.shows, event.parts()))):
        raise UnknownResource(f"There is no event {match['event']}")
    return event


def _contributions(event: Conference, idlist: str, view: View) -> Iterator[Any]:
    for contribution_id in dict.fromkeys(re.split("[-,]", idlist)):
        contribution = event.getContributionById(contribution_id)
        if contribution is not None and view.shows(contribution):
            yield contribution
