"""Atom: a feed of everything that has a title, an address and a start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lxml.builder import ElementMaker
from lxml.etree import tostring

from export.formats.xml_text import printable
from export.http.request import ExportRequest
from export.model.local_time import in_utc
from export.model.plain_text import PlainText
from scheduler.clock import nowutc

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
NAMESPACE = "http://www.w3.org/2005/Atom"
E = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as a feed; what has not started counts as updated when it starts."""
    starts = [item["startDate"] for item in body["results"] if item["startDate"] is not None]
    feed = E.feed(
        E.title("Indico Feed"),
        E.id(printable(body["url"])),
        E.link(href=printable(body["url"]), rel="self"),
        E.updated(_utc(max(starts, default=nowutc()))),
        E.author(E.name("Unknown author")),
        *(_entry(item) for item in body["results"]),
    )
    text: bytes = tostring(feed, xml_declaration=True, encoding="utf-8", pretty_print=pretty)
    return text


def _entry(item: Mapping[str, Any]) -> Any:
    return E.entry(
        E.title(printable(item["title"])),
        E.id(printable(item["url"])),
        E.link(href=printable(item["url"])),
        E.updated(_utc(item["startDate"] or nowutc())),
        _summary(item["description"]),
    )


def _summary(text: str) -> Any:
    kind = "text" if isinstance(text, PlainText) else "html"
    return E.summary(printable(text), type=kind)


def _utc(moment: datetime) -> str:
    return f"{in_utc(moment).replace(tzinfo=None, microsecond=0).isoformat()}Z"
