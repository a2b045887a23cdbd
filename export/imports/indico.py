"""From a live Indico's own answer to `/export/event/ID.json` or `/export/categ/ID.json`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import ImportRefused
from export.imports.draft import Draft, Item, fill
from export.imports.materials import folders, materials
from export.imports.node import NONE, Node
from export.model.access import Protection
from export.model.catalogue import ROOT
from export.model.conference import EVERYWHERE, Conference
from export.model.contribution import Contribution, SubContribution
from export.model.entry import Placed, own_all
from export.model.person import (
    Avatar,
    ConferenceChair,
    ContributionParticipation,
    Person,
    SlotChair,
    SubContribParticipation,
)
from export.model.session import Session, SessionSlot

PLACE = {
    "location": "location",
    "room": "room",
    "room_full_name": "roomFullname",
    "address": "address",
    "url": "url",
}
PEOPLE = {"speakers": "speakers", "primary_authors": "primaryauthors", "co_authors": "coauthors"}


def items(answer: Node) -> Iterator[Item]:
    """Return every event of *answer*. Raises ImportRefused where it has no list of results."""
    paths = _category_paths(answer)
    for where, member in answer.members("results", optional=False):
        yield Item(where, partial(_draft, member, where, paths))


def _category_paths(answer: Node) -> dict[str, list[tuple[str, str]]]:
    """Return the ids and titles from the root down to each category that is told about."""
    info = answer.node("additionalInfo")
    return {
        told.id("categoryId"): [
            (step.id(), step.text("name")) for step in told.nodes("path") if "id" in step.data
        ]
        for told in (info.nodes("eventCategories") if info is not None else ())
    }


def _draft(value: Any, where: str, paths: dict[str, list[tuple[str, str]]]) -> Draft:
    node = Node.of(value, where)
    category = str(node.get("categoryId", int, str, default=ROOT))
    draft = Draft(_event(node), paths.get(category) or [(category, node.text("category", ""))])
    draft.event.visibility = _visibility(node, draft.categories)
    allowed = node.node("allowed")
    if allowed is not None:
        draft.allowed_users = allowed.ids("users")
        draft.allowed_groups = allowed.ids("groups")
    titles = {}
    for contribution, part in _contributions(draft, node):
        titles[contribution.getId()] = part.text("session", default="")
    if "sessions" in node.data:
        _sessions(draft, node)
    else:
        draft.group(titles)
    return draft


def _event(node: Node) -> Conference:
    event = Conference(node.id(), node.get("title", str), node.text("description", default=""))
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
    creator = node.node("creator")
    event.creator = _person(Avatar, creator) if creator is not None else None
    event.organizer = node.text("organizer", default="")
    event.language = node.get("language", str, NONE, default=None)
    event.label = node.data.get("label")
    if node.get("hasAnyProtection", bool, default=False):
        event._protection = Protection.RESTRICTED
    return event


def _visibility(node: Node, categories: list[tuple[str, str]]) -> int:
    shown = node.node("visibility")
    if shown is None:
        return EVERYWHERE
    if shown.data.get("name") == "Nowhere":
        return 0
    below = [category_id for category_id, _ in reversed(categories)]
    category = str(shown.data.get("id") or "")
    if not category:
        return EVERYWHERE
    return below.index(category) + 1 if category in below else 1


def _contributions(draft: Draft, node: Node) -> Iterator[tuple[Contribution, Node]]:
    """Add the contributions of *node* to *draft*, and yield those that can be taken."""
    taken = {contribution.getId() for contribution in draft.contributions}
    for where, member in node.members("contributions"):
        try:
            part = Node.of(member, where)
            contribution, subs = _contribution(part)
            _check_new(contribution.getId(), taken, where)
        except ImportRefused as problem:
            draft.problems.append(str(problem))
            continue
        draft.contributions.append(contribution)
        draft.subcontributions[contribution.getId()] = subs
        yield contribution, part


def _contribution(node: Node) -> tuple[Contribution, list[SubContribution]]:
    contribution = Contribution(
        node.id(), node.get("title", str), node.text("description", default="")
    )
    _place(contribution, node)
    _dates(contribution, node)
    contribution.duration = node.minutes("duration")
    for attribute, key in PEOPLE.items():
        people = tuple(_person(ContributionParticipation, one) for one in node.nodes(key))
        setattr(contribution, attribute, people)
    contribution.track = node.get("track", str, NONE, default=None)
    contribution.type = node.get("type", str, NONE, default=None)
    contribution.code = node.text("code", default="")
    contribution.board_number = node.text("board_number", default="")
    contribution.db_id = node.get("db_id", int, NONE, default=None)
    contribution.friendly_id = node.get("friendly_id", int, NONE, default=None)
    taken: set[str] = set()
    subs = [_subcontribution(one, taken) for one in node.nodes("subContributions")]
    return contribution, subs


def _subcontribution(node: Node, taken: set[str]) -> SubContribution:
    sub = SubContribution(node.id(), node.get("title", str), node.text("description", default=""))
    _check_new(sub.getId(), taken, node.where)
    sub.duration = node.minutes("duration")
    sub.speakers = tuple(_person(SubContribParticipation, one) for one in node.nodes("speakers"))
    return sub


def _check_new(part_id: str, taken: set[str], where: str) -> None:
    if part_id in taken:
        raise ImportRefused(f"{where}: two parts have the id {part_id!r}")
    taken.add(part_id)


def _sessions(draft: Draft, node: Node) -> None:
    """Make the sessions of detail `sessions`, which lists their slots."""
    sessions: dict[str, Session] = {}
    for where, member in node.members("sessions"):
        try:
            slot = Node.of(member, where)
            about = slot.node("session") or slot
            session_id, _, slot_id = slot.id().partition("-")
            session = sessions.get(session_id)
            if session is None:
                session = sessions[session_id] = _session(about, session_id)
                draft.sessions.append(session)
            _slot(draft, session, slot, slot_id or str(len(session.slots)))
        except ImportRefused as problem:
            draft.problems.append(str(problem))


def _session(node: Node, session_id: str) -> Session:
    session = Session(session_id, node.get("title", str), node.text("description", default=""))
    _place(session, node)
    session.color = node.text("color", default="") or session.color
    session.text_color = node.text("textColor", default="") or session.text_color
    session.is_poster = node.get("isPoster", bool, default=False)
    return session


def _slot(draft: Draft, session: Session, node: Node, slot_id: str) -> None:
    slot = SessionSlot(slot_id, node.text("slotTitle", default=""))
    _check_new(slot_id, {one.getId() for one in session.slots}, node.where)
    _dates(slot, node)
    slot.location = None if node.data.get("inheritLoc") else node.text("location", "") or None
    slot.room = None if node.data.get("inheritRoom") else node.text("room", "") or None
    slot.conveners = tuple(_person(SlotChair, one) for one in node.nodes("conveners"))
    session.addSlot(slot)
    fill(slot, [contribution for contribution, _ in _contributions(draft, node)])


def _place(entry: Any, node: Node) -> None:
    for attribute, key in PLACE.items():
        setattr(entry, attribute, node.get(key, str, NONE, default=None))
    entry.keywords = tuple(node.get("keywords", list, default=[]))
    entry.references = tuple(node.get("references", list, default=[]))
    entry.note = node.get("note", dict, NONE, default=None)
    entry.materials = own_all(entry, materials(node))
    entry.folders = own_all(entry, folders(node))


def _dates(entry: Placed, node: Node) -> None:
    start, end = node.date("startDate"), node.date("endDate")
    if start is not None and end is not None and end < start:
        raise ImportRefused(f"{node.where}.endDate is before startDate")
    entry._start, entry._end = start, end


def _person(kind: type[Person], node: Node) -> Person:
    return kind(
        str(node.get("id", str, int)),
        first_name=node.text("first_name", "") or node.text("firstName", ""),
        last_name=node.text("last_name", "") or node.text("familyName", ""),
        affiliation=node.text("affiliation", default=""),
        email=node.get("email", str, NONE, default=None),
        email_hash=node.get("emailHash", str, NONE, default=None),
        shown_as=node.get("fullName", str),
        db_id=node.get("db_id", int, NONE, default=None),
        person_id=node.get("person_id", int, NONE, default=None),
    )
