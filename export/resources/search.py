"""Events by words of their titles: `/export/event/search/TERM` (reference 5.3.4)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.fossils.placed import in_zone
from export.http.page import in_order
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.model.catalogue import catalogue
from export.settings import ExportSettings

PATTERN = re.compile(r"/export/event/search/(?P<term>[^/]+)\.(?P<format>\w+)")
FORMATS = ("json", "jsonp", "xml")
UTC = ZoneInfo("UTC")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
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
    return ResultPage([_show(event) for event in in_order(best, selection)])


def _show(event: Any) -> dict[str, Any]:
    return {
        "id": event.getId(),
        "title": event.getTitle(),
        "startDate": in_zone(event.getStartDate(), UTC),
        "hasAnyProtection": event.hasAnyProtection(),
    }
