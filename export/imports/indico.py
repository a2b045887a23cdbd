"""From a live Indico's own answer to `/export/event/ID.json?detail=contributions`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import ImportRefused
from export.model.access import Protection
from export.model.catalogue import ROOT, Catalogue
from export.model.category import Category
from export.model.conference import EVERYWHERE, Conference
from export.model.contribution import Contribution, SubContribution
from export.model.entry import Placed, own_all
from export.model.material import Attachment, Folder, Link, LocalFile, Material
from export.model.person import (
    Avatar,
    ConferenceChair,
    ContributionParticipation,
    Person,
    SubContribParticipation,
)
from export.model.session import Session, SessionSlot

MISSING = object()


@dataclass(frozen=True)
class Node:
    """A JSON object with where it stands in the file, for messages."""

    data: dict[str, Any]
    where: str

    def get(self, key: str, *types: type, default: Any = MISSING) -> Any:
        """Return the value of *key*, of one of *types*. Raises ImportRefused."""
        value = self.data.get(key, default)
        if value is MISSING:
            raise ImportRefused(f"{self.where}.{key} is missing")
        if key in self.data and (
            not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        ):
            wanted = " or ".join("null" if kind is NONE else kind.__name__ for kind in types)
            raise ImportRefused(f"{self.where}.{key} is {_short(value)}; it must be {wanted}")
        return value

    def text(self, key: str, default: Any = MISSING) -> str:
        """Return a text, "" for null."""
        return self.get(key, str, NONE, default=default) or ""

    def nodes(self, key: str, optional: bool = True) -> Iterator[Node]:
        """Return the objects of the list *key*."""
        members = self.get(key, list, default=[] if optional else MISSING)
        for number, member in enumerate(members):
            yield _node(member, f"{self.where}.{key}[{number}]")

    def date(self, key: str, default: Any = MISSING) -> datetime | None:
        """Return a `{date, time, tz}` as UTC; None for null."""
        value = self.get(key, dict, NONE, default=default)
        if value is None:
            return None
        node = Node(value, f"{self.where}.{key}")
        parts = [node.get(name, str) for name in ("date", "time", "tz")]
        try:
            moment = datetime.fromisoformat(f"{parts[0]}T{parts[1]}")
            return moment.replace(tzinfo=ZoneInfo(parts[2])).astimezone(UTC)
        except (ValueError, KeyError, OSError, OverflowError):
            raise ImportRefused(f"{node.where} is no date: {' '.join(parts)}") from None


NONE = type(None)


def read_file(path: str | Path) -> Node:
    """Return the one event of the file *path*. Raises ImportRefused naming the file."""
    try:
        answer = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{path} is not JSON: {error}") from None
    events = list(_node(answer, "file").nodes("results", optional=False))
    if len(events) != 1:
        raise ImportRefused(f"{path} holds {len(events)} events in 'results'; it must be one")
    return events[0]


def import_event(catalogue: Catalogue, node: Node, *, replace: bool = False) -> Conference:
    """Put the event that *node* describes into *catalogue*, in the caller's transaction.

    Its category is made where it is missing; with *replace* an event of the same id makes room.
    Everything is read before anything is written. Raises ImportRefused.
    """
    event = _event(node)
    contributions = _unique([_contribution(one) for one in node.nodes("contributions")], node)
    _check_sessions(node)
    category_id = str(node.get("categoryId", int, str, default=ROOT))
    title = node.text("category", default="")
    before = catalogue.event(event.getId())
    if before is not None and not replace:
        raise ImportRefused(
            f"{node.where}.id: the event {event.getId()} is in the catalogue already; "
            "replace it with --replace"
        )
    if before is not None:
        catalogue.remove_event(before)
    category = catalogue.category(category_id)
    if category is None:
        category = Category(category_id, title)
        catalogue.add_category(category)
    catalogue.add_event(event, category)
    for contribution, _, subs in contributions:
        event.addContribution(contribution)
        for sub in subs:
            contribution.addSubContribution(sub)
    _make_sessions(event, contributions)
    return event


Parsed = tuple[Contribution, str, list[SubContribution]]


def _event(node: Node) -> Conference:
    event = Conference(_id(node), node.get("title", str), node.text("description", default=""))
    _place(event, node)
    _dates(event, node)
    event.type = node.get("type", str, default="meeting")
    event.timezone = node.get("timezone", str, default="UTC")
    try:
        ZoneInfo(event.timezone)
    except (ValueError, KeyError, OSError):
        raise ImportRefused(f"{node.where}.timezone: no zone {event.timezone!r}") from None
    created = node.date("creationDate", default=None)
    if created is not None:
        event._created = created
    modified = node.date("modificationDate", default=None)
    event._modified = modified or event._created
    event.map_url = node.text("roomMapURL", default="")
    event.chairs = tuple(_person(ConferenceChair, one) for one in node.nodes("chairs"))
    if node.get("creator", dict, NONE, default=None) is not None:
        event.creator = _person(Avatar, _node(node.data["creator"], f"{node.where}.creator"))
    event.organizer = node.text("organizer", default="")
    event.language = node.get("language", str, NONE, default=None)
    event.label = node.data.get("label")
    visibility = node.get("visibility", dict, default={})
    if visibility.get("name") == "Nowhere":
        event.visibility = 0
    else:
        event.visibility = 1 if visibility.get("id") else EVERYWHERE
    if node.get("hasAnyProtection", bool, default=False):
        event._protection = Protection.RESTRICTED
    return event


def _contribution(node: Node) -> Parsed:
    contribution = Contribution(
        _id(node), node.get("title", str), node.text("description", default="")
    )
    _place(contribution, node)
    _dates(contribution, node)
    contribution.duration = _minutes(node)
    for attribute, key in (
        ("speakers", "speakers"),
        ("primary_authors", "primaryauthors"),
        ("co_authors", "coauthors"),
    ):
        people = tuple(_person(ContributionParticipation, one) for one in node.nodes(key))
        setattr(contribution, attribute, people)
    contribution.track = node.get("track", str, NONE, default=None)
    contribution.type = node.get("type", str, NONE, default=None)
    contribution.code = node.text("code", default="")
    contribution.board_number = node.text("board_number", default="")
    contribution.db_id = node.get("db_id", int, NONE, default=None)
    contribution.friendly_id = node.get("friendly_id", int, NONE, default=None)
    subs = _unique([_subcontribution(one) for one in node.nodes("subContributions")], node)
    return contribution, node.text("session", default=""), [sub for sub, *_ in subs]


def _subcontribution(node: Node) -> tuple[SubContribution]:
    sub = SubContribution(_id(node), node.get("title", str), node.text("description", default=""))
    sub.duration = _minutes(node)
    sub.speakers = tuple(_person(SubContribParticipation, one) for one in node.nodes("speakers"))
    return (sub,)


def _place(entry: Any, node: Node) -> None:
    for attribute, key in (
        ("location", "location"),
        ("room", "room"),
        ("room_full_name", "roomFullname"),
        ("address", "address"),
        ("url", "url"),
    ):
        setattr(entry, attribute, node.get(key, str, NONE, default=None))
    entry.keywords = tuple(node.get("keywords", list, default=[]))
    entry.references = tuple(node.get("references", list, default=[]))
    entry.note = node.get("note", dict, NONE, default=None)
    entry.materials = own_all(entry, tuple(_material(one) for one in node.nodes("material")))
    entry.folders = own_all(entry, tuple(_folder(one) for one in node.nodes("folders")))


def _dates(entry: Placed, node: Node) -> None:
    start, end = node.date("startDate"), node.date("endDate")
    if start is not None and end is not None and end < start:
        raise ImportRefused(f"{node.where}.endDate is before startDate")
    entry._start, entry._end = start, end


def _person(kind: type[Person], node: Node) -> Person:
    return kind(
        str(node.get("id", str, int)),
        first_name=node.text("first_name", default=""),
        last_name=node.text("last_name", default=""),
        affiliation=node.text("affiliation", default=""),
        email=node.get("email", str, NONE, default=None),
        shown_as=node.get("fullName", str),
        db_id=node.get("db_id", int, NONE, default=None),
        person_id=node.get("person_id", int, NONE, default=None),
    )


def _material(node: Node) -> Material:
    resources = tuple(
        LocalFile(
            str(one.get("id", str, int)), one.text("name"), one.text("fileName"), one.text("url")
        )
        if "fileName" in one.data
        else Link(one.text("name"), one.text("url"))
        for one in node.nodes("resources")
    )
    return Material(_id(node), node.text("title"), resources)


def _folder(node: Node) -> Folder:
    folder = Folder(
        node.get("id", int),
        node.get("title", str, NONE),
        node.text("description", default=""),
        node.get("default_folder", bool, default=False),
        tuple(_attachment(one) for one in node.nodes("attachments")),
    )
    _protect(folder, node)
    return folder


def _attachment(node: Node) -> Attachment:
    facts = {
        name: node.get(name, *kinds)
        for name, kinds in (
            ("download_url", (str,)),
            ("description", (str,)),
            ("modified_dt", (str,)),
            ("filename", (str,)),
            ("content_type", (str,)),
            ("size", (int,)),
            ("checksum", (str,)),
            ("link_url", (str,)),
        )
        if node.data.get(name) is not None
    }
    attachment = Attachment(node.get("id", int), node.text("title"), node.get("type", str), **facts)
    _protect(attachment, node)
    return attachment


def _protect(part: Folder | Attachment, node: Node) -> None:
    if node.get("is_protected", bool, default=False):
        part._protection = Protection.RESTRICTED


def _make_sessions(event: Conference, contributions: list[Parsed]) -> None:
    """Make a session with one slot of every title that contributions name."""
    members: dict[str, list[Contribution]] = {}
    for contribution, title, _ in contributions:
        if title:
            members.setdefault(title, []).append(contribution)
    for number, (title, talks) in enumerate(sorted(members.items())):
        session, slot = Session(str(number), title), SessionSlot("0")
        session.addSlot(slot)
        slot._start = min((talk._start for talk in talks if talk._start), default=None)
        slot._end = max((talk._end for talk in talks if talk._end), default=None)
        slot.contributions = tuple(talks)
        for talk in talks:
            talk.session = session
        event.addSession(session)


def _check_sessions(node: Node) -> None:
    if node.data.get("sessions"):
        raise ImportRefused(
            f"{node.where}.sessions: a file of detail=sessions leaves contributions out of "
            "their list; export it with detail=contributions or subcontributions"
        )


def _unique(parsed: list[Any], node: Node) -> list[Any]:
    seen: set[str] = set()
    for entry, *_ in parsed:
        if entry.getId() in seen:
            raise ImportRefused(f"{node.where}: two parts have the id {entry.getId()!r}")
        seen.add(entry.getId())
    return parsed


def _minutes(node: Node) -> timedelta:
    minutes = node.get("duration", int, float, NONE, default=None) or 0
    try:
        return timedelta(minutes=minutes)
    except (OverflowError, ValueError):
        raise ImportRefused(f"{node.where}.duration is out of range") from None


def _id(node: Node) -> str:
    value = str(node.get("id", str, int))
    if not value:
        raise ImportRefused(f"{node.where}.id is empty")
    return value


def _node(value: Any, where: str) -> Node:
    if not isinstance(value, dict):
        raise ImportRefused(f"{where} is {_short(value)}; it must be an object")
    return Node(value, where)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
