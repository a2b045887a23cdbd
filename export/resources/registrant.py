"""Payment and check-in: `POST /api/event/EVENT/registrant/ID/pay`, `.../checkin`."""

from __future__ import annotations

from typing import Any

from export.errors import MalformedRequest, RefusedRequest
from export.fossils.registration import moment_in_words
from export.http.parameter import Flag, Parameter
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.model.conference import Conference
from export.model.registration import Registrant
from export.people.secret import is_same
from export.resource import WRITE, Resource
from export.resources.registrants import REGISTRANTS, managed_event, registrant_of

FORMATS = ("json", "xml")
IS_PAID = Flag("is_paid", "Whether it is paid.")
CHECKED_IN = Flag("checked_in", "Whether the registrant is there.")
SECRET = Parameter("secret", "The secret of the registrant's ticket.")


def answer(question: Question) -> ResultPage:
    """Note that the registrant has paid or is there, or that not; return what is noted now.

    Registrars and managers of the event may do so.
    """
    event = managed_event(question)
    registrant = registrant_of(question, event)
    note = _pay if question.arguments["what"] == "pay" else _check_in
    told = note(question.request, registrant, event)
    event.announce_change("infoChanged")
    return ResultPage(told)


def _pay(request: ExportRequest, registrant: Registrant, event: Conference) -> dict[str, Any]:
    if not registrant.form.payment:
        raise MalformedRequest("E-payment is not enabled")
    registrant.set_paid(IS_PAID.of(request))
    return {"paid": registrant.payment is not None, "amount_paid": float(registrant.getTotal())}


def _check_in(request: ExportRequest, registrant: Registrant, event: Conference) -> dict[str, Any]:
    if not is_same(SECRET.of(request) or "", registrant.checkin_secret):
        raise RefusedRequest("Access to this resource is restricted.")
    registrant.set_checked_in(CHECKED_IN.of(request))
    checked_in_at = registrant.checked_in_at
    return {
        "checked_in": checked_in_at is not None,
        "checkin_date": moment_in_words(checked_in_at, event.timezone),
    }


ADDRESS = "/api/event/<word:event>/registrant/<word:registrant>"

RESOURCE = Resource(
    "registrant_change",
    (f"{ADDRESS}/<any(pay, checkin):what>.<word:format>",),
    answer,
    WRITE | REGISTRANTS,
    FORMATS,
    "POST",
    parameters=(IS_PAID, CHECKED_IN, SECRET),
)
