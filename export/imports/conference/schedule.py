"""From the schedules of frab, pentabarf and pretalx, in JSON: one event with its talks.

XML is read by the module `pentabarf` into the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import partial
from typing import TypeAlias
from zoneinfo import ZoneInfo

from export.errors import ImportRefused
from export.imports.calendar.zones import zone_named
from export.imports.conference.talk_time import day_of, duration_of, start_of
from export.imports.draft import Draft, DraftItem, place, span
from export.imports.ids import digest, reachable, readable
from export.imports.indico.visibility import rule_of
from export.imports.node import NONE, Node
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.entry import own_all
from export.model.material import Link, Material
from export.model.person import ContributionParticipation

ZONES = ("time_zone_name", "timezone", "time_zone")


@dataclass(frozen=True)
class Talk:
    """A talk as it is listed: under a day, `2026-03-01`, and a room."""

    node: Node
    day: str
    room: str


Talks: TypeAlias = "Iterator[Talk | ImportRefused]"
"""The talks, and in the place of each that cannot be read why."""


def items(answer: Node, timezone: str = "") -> Iterator[DraftItem]:
    """Return the event of the schedule *answer*. Raises ImportRefused."""
    schedule = answer.node("schedule") or Node.of(None, "schedule")
    conference = schedule.node("conference") or Node.of(None, "schedule.conference")
    base_url = schedule.text("base_url", "")
    yield event(conference, partial(_talks, conference), base_url, timezone)


def event(
    conference: Node, talks: Callable[[], Talks], base_url: str = "", timezone: str = ""
) -> DraftItem:
    """Return the event that *conference* is, with what *talks* gives at each call."""
    return DraftItem(conference.where, partial(_draft, conference, talks, base_url, timezone))


def _talks(conference: Node) -> Talks:
    for day in conference.nodes("days", optional=False):
        rooms = day.node("rooms") or Node({}, day.where)
        for room in rooms.data:
            try:
                members = list(rooms.members(room))
            except ImportRefused as problem:
                yield problem
                continue
            for where, member in members:
                if isinstance(member, dict):
                    yield Talk(Node(member, where), day.text("date", ""), room)
                else:
                    yield ImportRefused(f"{where} is {member!r:.40}; it must be an object")


def _draft(node: Node, talks: Callable[[], Talks], base_url: str, timezone: str) -> Draft:
    title = node.get("title", str)
    name = node.text("acronym", "") or title
    if not name:
        raise ImportRefused(f"{node.where}.title is empty")
    listed = list(talks())
    draft = Draft(Conference("", title), origin=f"schedule {base_url} {name} {_year(node, listed)}")
    made = draft.event
    made.set_id(_id(name, draft.origin))
    made.type = "conference"
    made.location = node.text("venue", "") or node.text("city", "") or None
    made.url = (
        draft.address(node, "url", base_url)
        or draft.address(Node({"base_url": base_url}, node.where), "base_url")
        or None
    )
    draft.visibility.close(made, rule_of(node), None)
    zone = _zone(draft, node, timezone)
    made.timezone = zone.key if zone is not None else "UTC"
    guids: set[str] = set()
    for talk in listed:
        try:
            _take(draft, talk, zone, base_url, guids)
        except ImportRefused as problem:
            draft.problems.append(str(problem))
    draft.visibility.untold.clear()  # a schedule is a programme for everybody
    if zone is None and not draft.contributions and listed:
        raise ImportRefused(draft.problems[-1])
    _set_dates(made, node, zone, draft.contributions)
    return draft


def _year(node: Node, talks: list[Talk | ImportRefused]) -> str:
    days = (talk.day for talk in talks if isinstance(talk, Talk))
    return (node.text("start", "") or next(days, ""))[:4]


def _id(name: str, origin: str) -> str:
    """Return the acronym, without what no address can have; an id made of it for a number."""
    made = readable(name)
    return made if made and not made.isdigit() else digest(origin)


def _zone(draft: Draft, node: Node, timezone: str) -> ZoneInfo | None:
    """Return the zone of times without an offset; None where nobody tells one."""
    told = next((name for name in (node.text(key, "") for key in ZONES) if name), "")
    zone = zone_named(told) if told else None
    if told and zone is None:
        draft.notes.append(
            f"{node.where}.time_zone_name: no zone {told!r}; "
            + (f"it is taken for {timezone}" if timezone else "the offsets of its times count")
        )
    return zone or (zone_named(timezone) if timezone else None)


def _take(
    draft: Draft,
    talk: Talk | ImportRefused,
    zone: ZoneInfo | None,
    base_url: str,
    guids: set[str],
) -> None:
    """Add *talk* to the draft, and its guid to *guids*. Raises ImportRefused."""
    if isinstance(talk, ImportRefused):
        raise talk
    contribution = _contribution(draft, talk, zone, base_url)
    guid = talk.node.text("guid", "")
    taken = {one.getId() for one in draft.contributions}
    if contribution.getId() in taken:
        again = f"{contribution.getId()}_{digest(guid)[:8]}"
        if not guid or guid in guids or again in taken:
            raise ImportRefused(f"{talk.node.where}: two talks have the id {contribution.getId()}")
        draft.notes.append(
            f"{talk.node.where}: the talk {contribution.getId()} takes place again; "
            f"this time has the id {again}"
        )
        contribution.set_id(again)
    draft.visibility.close(contribution, rule_of(talk.node), None)
    draft.contributions.append(contribution)
    guids.add(guid)


def _set_dates(
    made: Conference, node: Node, zone: ZoneInfo | None, talks: list[Contribution]
) -> None:
    """Set the event's dates to those of its talks, or without any to its own."""
    start, end = span(talks)
    if start is not None and end is not None:
        place(made, start, end, node.where)
        return
    begins, last = day_of(node, "start"), day_of(node, "end")
    if begins is not None and last is not None and begins <= last:
        place(
            made,
            datetime.combine(begins, time(0), zone or UTC).astimezone(UTC),
            datetime.combine(last, time(23, 59, 59), zone or UTC).astimezone(UTC),
            node.where,
        )


def _contribution(draft: Draft, talk: Talk, zone: ZoneInfo | None, base_url: str) -> Contribution:
    node = talk.node
    talk_id = node.id("id" if node.data.get("id") not in (None, "") else "guid")
    made = Contribution(reachable(talk_id), node.get("title", str))
    paragraphs = (node.text(key, "").strip() for key in ("subtitle", "abstract", "description"))
    made.setDescription("\n\n".join(text for text in paragraphs if text))
    start, made.duration = start_of(node, talk.day, zone), duration_of(node)
    place(made, start, start + made.duration, node.where)
    made.room = node.text("room", "") or talk.room or None
    made.track = node.text("track", "") or None
    made.type = node.text("type", "") or None
    made.url = draft.address(node, "url", base_url) or None
    made.speakers = tuple(_speaker(one) for one in node.nodes("persons"))
    made.materials = own_all(made, tuple(_links(draft, node, base_url)))
    return made


def _speaker(node: Node) -> ContributionParticipation:
    names = (node.text(key, "") for key in ("public_name", "name", "full_public_name"))
    name = next((name for name in names if name), "")
    if not name:
        raise ImportRefused(f"{node.where} has no public_name")
    return ContributionParticipation(
        str(node.get("id", int, str, NONE, default=None) or ""), last_name=name, shown_as=name
    )


def _links(draft: Draft, node: Node, base_url: str) -> Iterator[Material]:
    for key, title in (("links", "Links"), ("attachments", "Attachments")):
        links = []
        for one in node.nodes(key):
            address = draft.address(one, "url", base_url)
            if address:
                links.append(Link(one.text("title", "") or one.text("url"), address))
            elif not one.text("url", ""):
                draft.problems.append(f"{one.where} has no address; it is left out")
        if links:
            yield Material(key, title, tuple(links))
