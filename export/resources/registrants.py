"""Registrants: `/export/event/EVENT/registrants` and `.../registrant/ID` (reference 5.3.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossilize import fossilize
from export.fossils.registration import (
    IRegFormRegistrantBasicFossil,
    IRegFormRegistrantFullFossil,
)
from export.http.listing import listed
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import COMMON, LISTED
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.registration import Registrant
from export.resource import READ, Resource

FORMATS = ("json", "jsonp", "xml")
REGISTRANT = Registrant.__name__
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
    if question.past is None or question.past.before is None:
        everybody = [listed_registrant(one) for one in _registrants(question)]
        return ResultPage({"registrants": everybody})
    page = listed(
        question, _registrants, lambda _: listed_registrant, identify=lambda one: one.id
    ).page()
    gone = page.vanished or ()
    vanished = [{"_type": REGISTRANT, "id": one["registrant_id"]} for one in gone]
    return replace(page, results={"registrants": page.results}, vanished=vanished)


def _registrants(question: Question) -> list[Registrant]:
    event = managed_event(question)
    return event.registration.getRegistrantList() if event.registration else []


def managed_event(question: Question) -> Conference:
    """Return the event that the address names, whose registrars the caller belongs to.

    Raises UnknownResource, RefusedRequest.
    """
    event_id, user, past = question.arguments["event"], question.user, question.past
    event = catalogue().event(event_id)
    if event is not None and event.can_register_others(user):
        if past is None or past.holds_now(event, _lets(user)):
            return event
        raise RefusedRequest("Access to this resource is restricted.")
    if event is None or not event.canAccess(user):
        raise UnknownResource(f"There is no event {event_id}")
    raise RefusedRequest("Access to this resource is restricted.")


def _lets(user: str | None) -> Callable[[Any], bool]:
    """Return whether *user* looks after the registrants of an event, or of what it was in."""

    def lets(obj: Any) -> bool:
        is_event = isinstance(obj, Conference)
        return bool(obj.can_register_others(user) if is_event else obj.canModify(user))

    return lets


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
    parameters=LISTED,
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
