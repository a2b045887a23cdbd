"""From a live Indico's own answer to `/export/event/ID.json` or `/export/categ/ID.json`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from export.errors import ImportRefused
from export.imports.calendar.zones import zone_named
from export.imports.draft import Draft, DraftItem
from export.imports.ids import reachable
from export.imports.indico.parts import Parts, describe, set_dates
from export.imports.indico.people import people, person
from export.imports.indico.visibility import AccessRule, RuleOrNone, rule_of
from export.imports.node import NONE, Node
from export.model.catalogue import ROOT
from export.model.conference import CANCELLED, CONFIRMED, STATUSES, Conference, SupportInfo
from export.model.entry import EVERYWHERE
from export.model.person import ConferenceChair, Creator

Paths = dict[str, list[tuple[str, str | None]]]


def items(answer: Node) -> Iterator[DraftItem]:
    """Return every event of *answer*. Raises ImportRefused where it has no list of results."""
    if "results" not in answer.data and "message" in answer.data:
        raise ImportRefused(f"it is an error that an Indico answered: {answer.data['message']}")
    paths = _category_paths(answer)
    host = _host(answer)
    for where, member in answer.members("results", optional=False):
        yield DraftItem(where, partial(_draft, member, where, paths, host))


def _host(answer: Node) -> str:
    url = answer.data.get("url")
    try:
        return (urlsplit(url).netloc if isinstance(url, str) else "").lower()
    except ValueError:
        return ""


def _category_paths(answer: Node) -> Paths:
    """Return the ids and titles from the root down to each category that is told about."""
    info = answer.node("additionalInfo")
    return {
        told.id("categoryId"): [
            (reachable(step.id()), step.get("name", str, NONE, default=""))
            for step in told.nodes("path")
            if "id" in step.data
        ]
        for told in (info.nodes("eventCategories") if info is not None else ())
    }


def _draft(value: Any, where: str, paths: Paths, host: str) -> Draft:
    node = Node.of(value, where)
    _check_kind(node)
    draft = Draft(Conference("", node.get("title", str), node.text("description", default="")))
    draft.event.set_id(draft.part_id(node))
    draft.origin = f"//{host or _host(node)}/event/{node.id()}"
    given = node.get("categoryId", int, str, NONE, default=ROOT)
    category = "" if given is None else str(given)
    if category:
        draft.categories = paths.get(category) or [(reachable(category), node.text("category", ""))]
    rule = draft.visibility.close(draft.event, _rule(draft, node, category), None)
    del draft.visibility.untold["conference"]
    _fill(draft, node, rule)
    draft.event.visibility = _visibility(node, draft.categories)
    parts = Parts(draft, rule)
    titles = {
        contribution.getId(): part.text("session", default="")
        for contribution, part in parts.contributions(node, rule)
    }
    if "sessions" in node.data:
        parts.sessions(node)
    else:
        draft.group(titles)
    return draft


def _check_kind(node: Node) -> None:
    kind = node.data.get("_type")
    if isinstance(kind, str) and kind != "Conference" and "title" not in node.data:
        raise ImportRefused(f"{node.where} is no event, but a {kind[:40]}")


def _rule(draft: Draft, node: Node, category: str) -> RuleOrNone:
    rule = rule_of(node)
    if rule is None and not category:
        draft.notes.append(f"{node.where} is in no category and so is listed nowhere; it is closed")
        return AccessRule()
    return rule


def _fill(draft: Draft, node: Node, rule: RuleOrNone) -> None:
    event = draft.event
    describe(draft, event, node, rule)
    set_dates(event, node)
    event.type = node.get("type", str, default="meeting")
    name = node.get("timezone", str, default="UTC")
    zone = zone_named(name)
    if zone is None:
        raise ImportRefused(f"{node.where}.timezone: no zone {name!r}")
    event.timezone = zone.key
    event.set_creation_date(node.date("creationDate", default=None) or event.getCreationDate())
    event.set_modification_date(
        node.date("modificationDate", default=None) or event.getCreationDate()
    )
    event.map_url = draft.address(node, "roomMapURL")
    event.chairs = people(ConferenceChair, node, "chairs")
    creator = node.node("creator")
    event.creator = person(Creator, creator) if creator is not None else None
    event.organizer = node.text("organizer", default="")
    event.language = node.get("language", str, NONE, default=None)
    event.label = node.data.get("label")
    event.set_status(_status(draft, node))
    event.support = _support(node) or event.support


def _status(draft: Draft, node: Node) -> str:
    """Return whether the event takes place, which a label may deny, too."""
    label = node.data.get("label")
    if isinstance(label, dict) and label.get("is_event_not_happening") is True:
        return CANCELLED
    told = node.text("status", default=CONFIRMED)
    if told in STATUSES:
        return told
    draft.problems.append(f"{node.at('status')} is {told!r}; the event is taken for confirmed")
    return CONFIRMED


def _support(node: Node) -> SupportInfo | None:
    """Return whom to ask about the event, which detail `sessions` tells in its slots."""
    holders = [
        node,
        *(Node(one, "") for _, one in node.members("sessions") if isinstance(one, dict)),
    ]
    for holder in holders:
        inner = holder.node("conference") if holder is not node else holder
        told = inner.node("supportInfo") if inner is not None else None
        if told is not None:
            names = ("caption", "email", "telephone")
            return SupportInfo(*(told.text(name, default="") for name in names))
    return None


def _visibility(node: Node, categories: list[tuple[str, str | None]]) -> int:
    shown = node.node("visibility")
    if shown is None:
        return EVERYWHERE if categories else 0
    if shown.data.get("name") == "Nowhere":
        return 0
    below = [category_id for category_id, _ in reversed(categories)]
    category = str(shown.data.get("id") or "")
    if not category:
        return EVERYWHERE
    return below.index(category) + 1 if category in below else 1
