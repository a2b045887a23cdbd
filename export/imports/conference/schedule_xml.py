"""From a schedule in XML, as pentabarf, frab and pretalx write it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from lxml import etree

from export.errors import ImportRefused
from export.imports.conference.schedule import Talk, Talks, event
from export.imports.draft import DraftItem
from export.imports.node import Node


def items(content: bytes, timezone: str = "") -> Iterator[DraftItem]:
    """Return the event of the schedule *content*. Raises ImportRefused."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        schedule = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ImportRefused(f"line {error.lineno}: no XML: {error.msg}") from None
    conference = schedule.find("conference")
    if schedule.tag != "schedule" or conference is None:
        raise ImportRefused(f"line {schedule.sourceline}: no <schedule> with a <conference>")
    base_url = schedule.findtext("conference/base_url") or ""
    node = Node(_texts(conference), _where(conference))
    yield event(node, partial(_talks, schedule), base_url, timezone)


def _talks(schedule: Any) -> Talks:
    for talk in schedule.iterfind("day/room/event"):
        room = talk.getparent()
        day = room.getparent().get("date", "")
        data = {
            **_texts(talk),
            **({"id": talk.get("id")} if talk.get("id") else {}),
            **({"guid": talk.get("guid")} if talk.get("guid") else {}),
            "persons": [
                {
                    "id": person.get("id"),
                    "public_name": person.text or person.get("name") or "",
                }
                for person in talk.iterfind("persons/person")
            ],
            "links": _links(talk, "links/link"),
            "attachments": _links(talk, "attachments/attachment"),
        }
        yield Talk(Node(data, _where(talk)), day, room.get("name", ""))


def _links(talk: Any, path: str) -> list[dict[str, str]]:
    """Return the links at *path*; one without an attribute is the address itself."""
    found = []
    for link in talk.iterfind(path):
        text = " ".join("".join(link.itertext()).split())
        found.append({"url": link.get("href") or text, "title": text})
    return found


def _texts(element: Any) -> dict[str, Any]:
    """Return what the children say; those with children of their own say nothing here."""
    return {child.tag: child.text or "" for child in element.iterchildren("*") if not len(child)}


def _where(element: Any) -> str:
    return f"line {element.sourceline}"
