"""Check-in: `/api/checkin/...`, for apps at the entrance of an event.

An event has one form, whose id is FORM. It and its registrants are for registrars and managers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from export.auth import caller
from export.errors import UnknownResource
from export.http.question import Question
from export.http.result import Bare
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.registration import PERSONAL_FIELDS, Registrant, RegistrationForm
from export.model.ticket_index import SCHEMA as TICKETS
from export.resource import Resource, modern_refusal
from export.resources.event_registrants import (
    READING,
    WRITING,
    check_in,
    flags_in,
    in_iso,
    number_or_text,
)
from export.resources.registrants import managed_event, registrant_of
from scheduler.store import current

FORM = 1
TITLE = "Registration"


def answer_event(question: Question) -> Bare:
    """Return the event that people are checked in to."""
    event = managed_event(question)
    everybody = event.registration.getRegistrantList() if event.registration else []
    tags = sorted({tag for one in everybody for tag in one.tags})
    return Bare(
        {
            "id": number_or_text(event.getId()),
            "title": event.getTitle(),
            "description": event.getDescription(),
            "start_dt": in_iso(event.getStartDate()),
            "end_dt": in_iso(event.getEndDate()),
            "registration_tags": [{"title": tag} for tag in tags],
        }
    )


def answer_forms(question: Question) -> Bare:
    """Return the registration forms of an event: one, or none."""
    event = managed_event(question)
    return Bare([_shown_form(event, event.registration)] if event.registration else [])


def answer_form(question: Question) -> Bare:
    """Return a registration form, and how many have registered and are there."""
    event, form = _form(question)
    return Bare(_shown_form(event, form))


def answer_all(question: Question) -> Bare:
    """Return who registered by a form."""
    event, form = _form(question)
    return Bare([_shown(one, event) for one in form.getRegistrantList()])


def answer_one(question: Question) -> Bare:
    """Return who registered, with their answers."""
    event, _ = _form(question)
    return Bare(_shown_with_answers(registrant_of(question, event), event))


def change(question: Question) -> Bare:
    """Note that somebody is there, or has paid, or not; return them."""
    event, form = _form(question)
    registrant = registrant_of(question, event)
    wanted = flags_in(question, "checked_in", "paid")
    if "checked_in" in wanted:
        check_in(registrant, event, wanted["checked_in"])
    if "paid" in wanted and form.payment and wanted["paid"] != (registrant.payment is not None):
        registrant.set_paid(wanted["paid"])
        event.announce_change("infoChanged")
    return Bare(_shown_with_answers(registrant, event))


def answer_ticket(question: Question) -> Bare:
    """Return whose ticket it is, by its secret."""
    found = catalogue()
    for event_id, registrant_id in TICKETS.get(current()).places(question.arguments["ticket"]):
        event = found.event(event_id)
        if event is not None and event.registration and event.can_register_others(question.user):
            registrant = event.registration.find(registrant_id)
            if registrant is not None:
                return Bare(_shown_with_answers(registrant, event))
    raise UnknownResource("There is no such ticket")


def _form(question: Question) -> tuple[Conference, RegistrationForm]:
    event = managed_event(question)
    if event.registration is None or question.arguments["form"] != str(FORM):
        raise UnknownResource(f"There is no form {question.arguments['form']}")
    return event, event.registration


def _shown_form(event: Conference, form: RegistrationForm) -> dict[str, Any]:
    everybody = form.getRegistrantList()
    return {
        "id": FORM,
        "event_id": number_or_text(event.getId()),
        "title": TITLE,
        "introduction": "",
        "start_dt": None,
        "end_dt": None,
        "is_open": True,
        "registration_count": len(everybody),
        "checked_in_count": sum(one.checked_in_at is not None for one in everybody),
    }


def _shown(registrant: Registrant, event: Conference) -> dict[str, Any]:
    payment, price = registrant.payment, registrant.getTotal()
    currency = registrant.form.currency
    return {
        "id": number_or_text(registrant.id),
        "regform_id": FORM,
        "event_id": number_or_text(event.getId()),
        "full_name": registrant.getFullName(),
        "email": registrant.getPersonalData().get("email", ""),
        "state": registrant.state,
        "checked_in": registrant.checked_in_at is not None,
        "checked_in_dt": in_iso(registrant.checked_in_at),
        "checkin_secret": registrant.checkin_secret,
        "is_paid": payment is not None,
        "price": price,
        "payment_date": in_iso(payment.noted_at) if payment is not None else None,
        "currency": currency,
        "formatted_price": f"{price} {currency}".strip(),
        "tags": sorted(registrant.tags),
        "occupied_slots": 1,
        "registration_date": in_iso(registrant.registered_at),
    }


def _shown_with_answers(registrant: Registrant, event: Conference) -> dict[str, Any]:
    told = registrant.getPersonalData()
    personal = [(name, told[name]) for name in PERSONAL_FIELDS if name in told]
    sections = [_section(0, "Personal Data", personal)]
    for number, group in enumerate(registrant.groups, start=1):
        items = [(item.caption, item.value) for item in group.items]
        sections.append(_section(number, group.title, items))
    return {**_shown(registrant, event), "registration_data": sections}


def _section(number: int, title: str, answers: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = [
        {
            "id": place,
            "title": caption,
            "description": "",
            "input_type": "text",
            "position": place,
            "default_value": "",
            "data": "" if value is None else str(value),
        }
        for place, (caption, value) in enumerate(answers, start=1)
    ]
    return {
        "id": number,
        "title": title,
        "description": "",
        "position": number,
        "fields": fields,
    }


def _both(address: str) -> tuple[str, str]:
    return address, f"{address}/"


EVENT = "/api/checkin/event/<word:event>"
FORMS = f"{EVENT}/forms"
ALL = f"{FORMS}/<digits:form>/registrations"
ONE = f"{ALL}/<word:registrant>"
FIELDS = {"checked_in": {"type": "boolean"}, "paid": {"type": "boolean"}}
_reading = partial(Resource, scopes=READING, door=caller.modern, refusal=modern_refusal)

RESOURCES = (
    _reading("checkin_event", _both(EVENT), answer_event),
    _reading("checkin_forms", _both(FORMS), answer_forms),
    _reading("checkin_form", _both(f"{FORMS}/<digits:form>"), answer_form),
    _reading("checkin_registrations", _both(ALL), answer_all),
    _reading("checkin_registration", _both(ONE), answer_one),
    _reading("checkin_ticket", _both("/api/checkin/ticket/<id:ticket>"), answer_ticket),
    Resource(
        *("checkin_change", _both(ONE), change, WRITING),
        method="PATCH",
        door=caller.modern,
        refusal=modern_refusal,
        body={
            "type": "object",
            "properties": FIELDS,
            "additionalProperties": False,
            "required": [],
        },
    ),
)
