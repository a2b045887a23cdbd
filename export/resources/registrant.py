"""Payment and check-in: `POST /api/event/EVENT/registrant/ID/pay`, `.../checkin`."""

from __future__ import annotations

import re
from typing import Any

from export.errors import MalformedRequest, RefusedRequest
from export.fossils.registration import moment_in_words
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.model.conference import Conference
from export.model.registration import Registrant
from export.resources.registrants import managed_event, registrant_of
from export.secret import is_same
from export.settings import ExportSettings

PATTERN = re.compile(
    r"/api/event/(?P<event>\w+)/registrant/(?P<registrant>\w+)/(?P<what>pay|checkin)"
    r"\.(?P<format>\w+)",
    re.ASCII,
)
FORMATS = ("json", "xml")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Note that the registrant has paid or is there, or that not; return what is noted now.

    Raises RequestException; RefusedRequest for all but registrars and managers of the event.
    """
    event = managed_event(match, user)
    registrant = registrant_of(match, event)
    note = _pay if match["what"] == "pay" else _check_in
    return ResultPage(note(request, registrant, event))


def _pay(request: ExportRequest, registrant: Registrant, event: Conference) -> dict[str, Any]:
    if not registrant.form.payment:
        raise MalformedRequest("E-payment is not enabled")
    registrant.set_paid(request.take_flag("is_paid"))
    return {"paid": registrant.payment is not None, "amount_paid": float(registrant.getTotal())}


def _check_in(request: ExportRequest, registrant: Registrant, event: Conference) -> dict[str, Any]:
    if not is_same(request.take("secret") or "", registrant.checkin_secret):
        raise RefusedRequest("Access to this resource is restricted.")
    registrant.set_checked_in(request.take_flag("checked_in"))
    checked_in_at = registrant.checked_in_at
    return {
        "checked_in": checked_in_at is not None,
        "checkin_date": moment_in_words(checked_in_at, event.timezone),
    }
