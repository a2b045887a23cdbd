"""HTML: a list of events by day, to be put into a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from itertools import groupby
from typing import Any

from lxml.builder import E
from lxml.html import tostring

from export.formats.xml_text import printable
from export.http.request import ExportRequest

CONTENT_TYPE = "text/html; charset=utf-8"
LIST = "indico_event_list"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the events of *body* as a fragment of HTML, those without a date last."""
    dated = [event for event in body["results"] if event["startDate"] is not None]
    undated = [event for event in body["results"] if event["startDate"] is None]
    days = [_day(_in_words(day), events) for day, events in _by_day(dated)]
    if undated:
        days.append(_day("", undated))
    fragment = E.ul({"class": LIST, "data-ts": str(body["ts"])}, *days)
    text: bytes = tostring(fragment, encoding="utf-8", pretty_print=pretty)
    return text


def pieces(
    body: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
    request: ExportRequest,
    *,
    pretty: bool,
) -> Iterator[bytes]:
    """Yield the fragment of *body*, its events in their order, with each day that comes."""
    empty = E.ul({"class": LIST, "data-ts": str(body["ts"])}, "")
    beginning, end, _ = tostring(empty, encoding="utf-8").partition(b"</ul>")
    yield beginning
    for title, events in groupby(body["results"], key=_title):
        yield from _day_in_pieces(title, events, pretty)
    yield end


def _day_in_pieces(
    title: str, events: Iterator[Mapping[str, Any]], pretty: bool
) -> Iterator[bytes]:
    beginning, end = tostring(_day(title, []), encoding="utf-8").split(b"</ul>")
    yield beginning
    for each in events:
        yield tostring(_entry(each), encoding="utf-8", pretty_print=pretty)
    yield b"</ul>" + end


def _title(event: Mapping[str, Any]) -> str:
    return "" if event["startDate"] is None else _in_words(_start(event).date())


def _by_day(events: list[Mapping[str, Any]]) -> Iterator[tuple[date, list[Mapping[str, Any]]]]:
    in_order = sorted(events, key=_start)
    for day, members in groupby(in_order, key=lambda event: _start(event).date()):
        yield day, list(members)


def _start(event: Mapping[str, Any]) -> datetime:
    start: datetime = event["startDate"]
    return start


def _day(title: str, events: list[Mapping[str, Any]]) -> Any:
    return E.li(
        E.span(title, {"class": "indico_event_list_day"}),
        E.ul({"class": "indico_day_content"}, *(_entry(event) for event in events)),
    )


def _entry(event: Mapping[str, Any]) -> Any:
    time = f"{event['startDate']:%H:%M}" if event["startDate"] is not None else ""
    name = printable(event["title"])
    title = E.span(name, {"class": "indico_event_tile indico_event_title"})
    return E.li(
        {"class": "indico_event_entry", "data-id": printable(event["id"])},
        E.span(time, {"class": "indico_event_time"}),
        E.span(printable(event["category"]), {"class": "indico_event_category"}),
        E.a(title, href=_link(printable(event["url"])), title=name),
        E.span(printable(event["room"]), {"class": "indico_event_room"}),
    )


def _in_words(day: date) -> str:
    return f"{WEEKDAYS[day.weekday()]} {MONTHS[day.month - 1]} {day:%d}, {day.year}"


def _link(url: str) -> str:
    """Return *url* if it leads to a page; nothing that is run when somebody clicks on it."""
    return url if url.lower().startswith(("http://", "https://", "/")) else ""
