"""Registrants: `/export/event/EVENT/registrants` and `.../registrant/ID` (reference 5.3.5)."""

from __future__ import annotations

from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossilize import fossilize
from export.fossils.registration import (
    IRegFormRegistrantBasicFossil,
    IRegFormRegistrantFullFossil,
)
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import COMMON
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.registration import Registrant
from export.resource import READ, Resource

FORMATS = ("json", "jsonp", "xml")
DETAILS = {
    "basic": Detail(IRegFormRegistrantBasicFossil),
    "full": Detail(IRegFormRegistrantFullFossil),
}


def answer(question: Question) -> ResultPage:
    """Return a registrant, to registrars and managers of the event."""
    fossil = question.fossil
    event = managed_event(question)
    return ResultPage(fossilize(registrant_of(question, event), fossil, event_zone=event.timezone))


def answer_all(question: Question) -> ResultPage:
    """Return all registrants of an event, to its registrars and managers."""
    question.selection  # noqa: B018 (it is checked)
    event = managed_event(question)
    registrants = event.registration.getRegistrantList() if event.registration else []
    return ResultPage({"registrants": [listed_registrant(one) for one in registrants]})


def managed_event(question: Question) -> Conference:
    """Return the event that the address names, whose registrars the caller belongs to.

    Raises UnknownResource, RefusedRequest.
    """
    event_id, user = question.arguments["event"], question.user
    event = catalogue().event(event_id)
    if event is not None and event.can_register_others(user):
        return event
    if event is None or not event.canAccess(user):
        raise UnknownResource(f"There is no event {event_id}")
    raise RefusedRequest("Access to this resource is restricted.")


def registrant_of(question: Question, event: Conference) -> Registrant:
    """Return the registrant of *event* that the address names. Raises UnknownResource."""
    wanted = question.arguments["registrant"]
    found = event.registration.find(wanted) if event.registration else None
    if found is None:
        raise UnknownResource(f"There is no registrant {wanted}")
    return found


def listed_registrant(registrant: Registrant) -> dict[str, Any]:
    """Return *registrant* as lists have one."""
    return {
        "registrant_id": registrant.id,
        "full_name": registrant.getFullName(),
        "checked_in": registrant.checked_in_at is not None,
        "checkin_secret": registrant.checkin_secret,
        "personal_data": registrant.getPersonalData(),
    }


REGISTRANTS = frozenset({"registrants"})
"""A scope that opens registrants only: programs that check people in need no more."""

ALL = Resource(
    "registrants",
    ("/export/event/<word:event>/registrants.<word:format>",),
    answer_all,
    READ | REGISTRANTS,
    FORMATS,
    parameters=COMMON,
)
ONE = Resource(
    "registrant",
    ("/export/event/<word:event>/registrant/<word:registrant>.<word:format>",),
    answer,
    READ | REGISTRANTS,
    FORMATS,
    details=DETAILS,
    parameters=COMMON,
)
