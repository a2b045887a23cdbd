"""Registrants: `/export/event/EVENT/registrants` and `.../registrant/ID` (reference 5.3.5)."""

from __future__ import annotations

import re
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossilize import fossilize
from export.fossils.registration import (
    IRegFormRegistrantBasicFossil,
    IRegFormRegistrantFullFossil,
)
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.registration import Registrant
from export.settings import ExportSettings

PATTERN = re.compile(
    r"/export/event/(?P<event>\w+)/registrant(?:s|/(?P<registrant>\w+))\.(?P<format>\w+)",
    re.ASCII,
)
FORMATS = ("json", "jsonp", "xml")
MAXIMA = {"basic": 1000, "full": 1000}
FOSSILS = {"basic": IRegFormRegistrantBasicFossil, "full": IRegFormRegistrantFullFossil}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return all registrants of the event, or the one that *match* names.

    Raises RequestException; RefusedRequest for all but registrars and managers of the event.
    """
    wants_one = match["registrant"] is not None
    maxima, default = (MAXIMA, "basic") if wants_one else ({}, None)
    selection = select(request, maxima, default, settings.zone)
    event = managed_event(match, user)
    if not wants_one:
        registrants = event.registration.getRegistrantList() if event.registration else []
        return ResultPage({"registrants": [_listed(one) for one in registrants]})
    registrant = registrant_of(match, event)
    fossil = FOSSILS[selection.detail]
    return ResultPage(fossilize(registrant, fossil, event_zone=event.timezone))


def managed_event(match: re.Match[str], user: str | None) -> Conference:
    """Return the event that *match* names, whose registrars *user* belongs to.

    Raises UnknownResource, RefusedRequest.
    """
    event = catalogue().event(match["event"])
    if event is not None and event.can_register_others(user):
        return event
    if event is None or not event.canAccess(user):
        raise UnknownResource(f"There is no event {match['event']}")
    raise RefusedRequest("Access to this resource is restricted.")


def registrant_of(match: re.Match[str], event: Conference) -> Registrant:
    """Return the registrant of *event* that *match* names. Raises UnknownResource."""
    found = event.registration.find(match["registrant"]) if event.registration else None
    if found is None:
        raise UnknownResource(f"There is no registrant {match['registrant']}")
    return found


def _listed(registrant: Registrant) -> dict[str, Any]:
    return {
        "registrant_id": registrant.id,
        "full_name": registrant.getFullName(),
        "checked_in": registrant.checked_in_at is not None,
        "checkin_secret": registrant.checkin_secret,
        "personal_data": registrant.getPersonalData(),
    }
