"""Atom: a feed of everything that has a title, an address and a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker
from lxml.etree import tostring

from export.formats.site import absolute, address_of, entry_address, feed_address, latest
from export.formats.xml_text import printable, taken
from export.http.request import ExportRequest
from export.model.conference import CANCELLED
from export.model.local_time import in_utc
from export.model.plain_text import PlainText
from scheduler.clock import nowutc

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
NAMESPACE = "http://www.w3.org/2005/Atom"
E = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})
AT = "http://purl.org/atompub/tombstones/1.0"
TOMBSTONE = ElementMaker(namespace=AT, nsmap={"at": AT})
SINCE = "urn:zodb-relay:since"
"""The relation of a feed to what changes after it."""


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as a feed; it and its entries are updated when an entry is changed."""
    site = address_of(body, request)
    feed = E.feed(
        *_about(body, site),
        E.updated(_utc(latest(item["modificationDate"] for item in body["results"]))),
        E.author(E.name("Unknown author")),
        *(_entry(item, site) for item in body["results"]),
        *_tombstones(body, site),
    )
    text: bytes = tostring(feed, xml_declaration=True, encoding="utf-8", pretty_print=pretty)
    return text


def pieces(
    body: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
    request: ExportRequest,
    *,
    pretty: bool,
) -> Iterator[bytes]:
    """Yield the feed of *body*; when it was updated is known, and said, behind the entries."""
    site, written, last = address_of(body, request), BytesIO(), latest(())
    with etree.xmlfile(written, encoding="utf-8") as file:
        file.write_declaration()
        with file.element(f"{{{NAMESPACE}}}feed", nsmap={None: NAMESPACE}):
            file.write(*_about(body, site), E.author(E.name("Unknown author")), pretty_print=pretty)
            for each in body["results"]:
                last = max(last, each["modificationDate"])
                file.write(_entry(each, site), pretty_print=pretty)
                yield taken(file, written)
            file.write(E.updated(_utc(last)), pretty_print=pretty)
    yield written.getvalue()


def _about(body: Mapping[str, Any], site: str) -> Iterator[Any]:
    own = feed_address(body, site)
    yield E.title("Indico Feed")
    yield E.id(own)
    yield E.link(href=own, rel="self")
    yield from _link_to_changes(body, own)


def _link_to_changes(body: Mapping[str, Any], own: str) -> Iterator[Any]:
    """Yield the link to what changes after this answer, if that is known."""
    if "position" in body:
        separator = "&" if "?" in own else "?"
        yield E.link(href=f"{own}{separator}since={body['position']}", rel=SINCE)


def _tombstones(body: Mapping[str, Any], site: str) -> Iterator[Any]:
    """Yield the entries that are gone, as RFC 6721 has them."""
    when = _utc(nowutc())
    for item in body.get("vanished", ()):
        yield TOMBSTONE("deleted-entry", ref=entry_address(item, site), when=when)


def _entry(item: Mapping[str, Any], site: str) -> Any:
    return E.entry(
        E.title(printable(item["title"])),
        E.id(entry_address(item, site)),
        E.link(href=absolute(site, item["url"])),
        E.updated(_utc(item["modificationDate"])),
        *([E.category(term=CANCELLED)] if item.get("status") == CANCELLED else ()),
        _summary(item["description"]),
    )


def _summary(text: str) -> Any:
    kind = "text" if isinstance(text, PlainText) else "html"
    return E.summary(printable(text), type=kind)


def _utc(moment: datetime) -> str:
    return f"{in_utc(moment).replace(tzinfo=None, microsecond=0).isoformat()}Z"
