"""Registrants for programs: `GET /api/events/EVENT/registrants[/ID]`, and PATCH of one."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from export.auth import caller
from export.errors import MalformedRequest
from export.http.question import Question
from export.http.result import Bare
from export.model.conference import Conference
from export.model.registration import Registrant
from export.resource import ANYTHING, Resource, modern_refusal
from export.resources.registrants import (
    REGISTRANTS,
    listed_registrant,
    managed_event,
    registrant_of,
)

READING = REGISTRANTS | ANYTHING | {"read:everything"}
WRITING = REGISTRANTS | ANYTHING
CHECKED_IN = "checked_in"


def answer_all(question: Question) -> Bare:
    """Return all registrants of an event, to its registrars and managers."""
    event = managed_event(question)
    registrants = event.registration.getRegistrantList() if event.registration else []
    return Bare({"registrants": [listed_registrant(one) for one in registrants]})


def answer(question: Question) -> Bare:
    """Return a registrant, to registrars and managers of the event."""
    event = managed_event(question)
    return Bare(_shown(registrant_of(question, event), event))


def change(question: Question) -> Bare:
    """Note that a registrant is there, or not; return the registrant."""
    event = managed_event(question)
    registrant = registrant_of(question, event)
    wanted = flags_in(question, CHECKED_IN)
    if CHECKED_IN in wanted:
        check_in(registrant, event, wanted[CHECKED_IN])
    return Bare(_shown(registrant, event))


def flags_in(question: Question, *known: str) -> dict[str, bool]:
    """Return what the body, an object in JSON, says of *known* things. Raises MalformedRequest."""
    body = question.request.json
    if not isinstance(body, dict):
        raise MalformedRequest("Expected a JSON object")
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise MalformedRequest(f"Invalid fields: {', '.join(unknown)}")
    for name, value in body.items():
        if not isinstance(value, bool):
            raise MalformedRequest(f"{name} must be true or false")
    return body


def check_in(registrant: Registrant, event: Conference, is_there: bool) -> None:
    """Note whether *registrant* is there. Raises MalformedRequest for who may not enter."""
    if not registrant.may_enter:
        raise MalformedRequest("This registration cannot be marked as checked-in")
    registrant.set_checked_in(is_there)
    event.announce_change("infoChanged")


def number_or_text(id: str) -> int | str:
    """Return *id* as a number, if it is one."""
    return int(id) if id.isascii() and id.isdecimal() and len(id) < 19 else id


def in_iso(moment: datetime | None) -> str | None:
    """Return *moment* as ISO 8601 has it."""
    return moment.isoformat() if moment is not None else None


def _shown(registrant: Registrant, event: Conference) -> dict[str, Any]:
    price, is_paid = registrant.getTotal(), registrant.payment is not None
    return {
        **listed_registrant(registrant),
        "tags": sorted(registrant.tags),
        "amount_paid": price if is_paid else 0,
        "ticket_price": price,
        "registration_date": in_iso(registrant.registered_at),
        "paid": is_paid,
        "checkin_date": in_iso(registrant.checked_in_at) or "",
        "event_id": number_or_text(event.getId()),
    }


ADDRESS = "/api/events/<word:event>/registrants"
BODY = {"type": "object", "properties": {CHECKED_IN: {"type": "boolean"}}}
_program = partial(Resource, door=caller.modern, refusal=modern_refusal)

ALL = _program("api_registrants", (ADDRESS,), answer_all, READING)
ONE = _program("api_registrant", (f"{ADDRESS}/<word:registrant>",), answer, READING)
CHANGE = _program(
    *("api_registrant_change", (f"{ADDRESS}/<word:registrant>",), change, WRITING),
    method="PATCH",
    body={**BODY, "additionalProperties": False, "required": []},
)
