"""Events by words of their titles: `/export/event/search/TERM` (reference 5.3.4)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.fossils.placed import in_zone
from export.model.catalogue import catalogue
from export.page import in_order
from export.request import ExportRequest, select
from export.result import Results
from export.settings import Settings
from export.view import View

PATTERN = re.compile(r"/export/event/search/(?P<term>[^/]+)\.(?P<format>\w+)")
FORMATS = ("json", "jsonp", "xml")
UTC = ZoneInfo("UTC")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Results:
    """Return the events that *user* may see whose title has every word of the term.

    The best match comes first; an order that is asked for is that of the matches which the
    limit leaves. Raises RequestException.
    """
    selection = select(request, {}, "events", settings.zone)
    view = View(user, selection, settings)
    found = catalogue()
    hits = (found.event(event_id) for event_id in found.index.search(match["term"]))
    seen = (event for event in hits if event is not None and view.shows(event))
    best = islice(seen, selection.offset, selection.offset + selection.limit)
    return Results([_show(event) for event in in_order(best, selection)])


def _show(event: Any) -> dict[str, Any]:
    return {
        "id": event.getId(),
        "title": event.getTitle(),
        "startDate": in_zone(event.getStartDate(), UTC),
        "hasAnyProtection": event.hasAnyProtection(),
    }
