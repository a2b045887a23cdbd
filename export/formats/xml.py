"""XML: an element for each object, named by its `_type` (reference 5.1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from export.formats.xml_text import printable, taken
from export.http.request import ExportRequest

CONTENT_TYPE = "text/xml; charset=utf-8"
SHOWN_TYPES = {"RoomCERN": "Room", "ReservationCERN": "Reservation"}
OUTSIDE = ("_type", "_fossil", "id")
"""Members that become an element's name and attributes."""

DATE_KEYS = {"date", "time", "tz"}
NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return *body* as an XML document; *pretty* indents it."""
    document: bytes = etree.tostring(
        _object(body), xml_declaration=True, encoding="utf-8", pretty_print=pretty
    )
    return document


def pieces(
    body: Mapping[str, Any],
    ending: Callable[[], Mapping[str, Any]],
    request: ExportRequest,
    *,
    pretty: bool,
) -> Iterator[bytes]:
    """Yield the document of *body*, with the members of *ending* behind the results."""
    written = BytesIO()
    with etree.xmlfile(written, encoding="utf-8") as file:
        file.write_declaration()
        with file.element(str(body["_type"]).lower()):
            known = {key: body[key] for key in body if key not in (*OUTSIDE, "results")}
            file.write(*_object(known), pretty_print=pretty)
            with file.element("results"):
                for each in body["results"]:
                    file.write(_object(each), pretty_print=pretty)
                    yield taken(file, written)
            file.write(*_object(ending()), pretty_print=pretty)
    yield written.getvalue()


def _object(data: Mapping[str, Any]) -> Any:
    kind = _text(data.get("_type", ""))
    name = SHOWN_TYPES.get(kind, kind).lower()
    element = etree.Element(name if NAME.fullmatch(name) else "collection")
    if "_fossil" in data:
        element.set("fossil", _text(data["_fossil"]))
    if "id" in data:
        element.set("id", _text(data["id"]))
    for key, value in data.items():
        if key not in OUTSIDE:
            _fill(_child(element, str(key)), value)
    return element


def _child(parent: Any, name: str) -> Any:
    """Return a new child; a name that XML does not allow is its key."""
    if NAME.fullmatch(name):
        return etree.SubElement(parent, name)
    return etree.SubElement(parent, "entry", key=_text(name))


def _fill(element: Any, value: Any) -> None:
    if _is_object(value):
        element.append(_object(value))
    elif isinstance(value, list | tuple):
        for member in value:
            _add_member(element, member)
    elif value is not None:
        element.text = _text(value)


def _add_member(element: Any, member: Any) -> None:
    if _is_object(member):
        element.append(_object(member))
    else:
        _fill(etree.SubElement(element, "item"), member)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() != DATE_KEYS


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and not _is_object(value):
        value = datetime.fromisoformat(f"{value['date']}T{value['time']}").replace(
            tzinfo=ZoneInfo(value["tz"])
        )
    if isinstance(value, datetime):
        return value.isoformat()
    return printable(str(value))
