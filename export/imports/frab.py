"""From the schedules of frab, pentabarf and pretalx, in JSON: one event with its talks.

XML is read by the module `pentabarf` into the same nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from export.errors import ImportRefused
from export.imports.draft import Draft, Item
from export.imports.node import NONE, Node
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.entry import own_all
from export.model.material import Link, Material
from export.model.person import ContributionParticipation

DURATION = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2})", re.ASCII)
NIGHT_ENDS = time(6)
"""Where only the clock is given, a talk that begins earlier is in the night after its day."""


@dataclass(frozen=True)
class Talk:
    """A talk as it is listed: under a day, `2026-03-01`, and a room."""

    node: Node
    day: str
    room: str


Talks = Iterator[Talk | ImportRefused]
"""The talks, and in the place of each that cannot be read why."""


def items(answer: Node) -> Iterator[Item]:
    """Return the event of the schedule *answer*. Raises ImportRefused."""
    schedule = answer.node("schedule") or Node.of(None, "schedule")
    conference = schedule.node("conference") or Node.of(None, "schedule.conference")
    yield event(conference, partial(_talks, conference), schedule.text("base_url", ""))


def event(conference: Node, talks: Callable[[], Talks], base_url: str = "") -> Item:
    """Return the event that *conference* is, with what *talks* gives at each call."""
    return Item(conference.where, partial(_draft, conference, talks, base_url))


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


def _draft(node: Node, talks: Callable[[], Talks], base_url: str) -> Draft:
    title = node.get("title", str)
    name = node.text("acronym", "") or title
    if not name:
        raise ImportRefused(f"{node.where}.title is empty")
    made = Conference(_address_part(name), title)
    made.type = "conference"
    made.timezone = node.text("time_zone_name", "") or "UTC"
    made.location = node.text("venue", "") or node.text("city", "") or None
    made.url = node.text("url", "") or base_url or None
    zone = _zone(made.timezone, node)
    draft = Draft(made)
    taken: set[str] = set()
    for talk in talks():
        try:
            if isinstance(talk, ImportRefused):
                raise talk
            contribution = _contribution(talk, zone, base_url)
            if contribution.getId() in taken:
                raise ImportRefused(
                    f"{talk.node.where}: two talks have the id {contribution.getId()}"
                )
        except ImportRefused as problem:
            draft.problems.append(str(problem))
            continue
        taken.add(contribution.getId())
        draft.contributions.append(contribution)
    _set_dates(made, node, zone, draft.contributions)
    return draft


def _set_dates(made: Conference, node: Node, zone: ZoneInfo, talks: list[Contribution]) -> None:
    """Let the event be as long as its talks; without any, as its own dates say."""
    starts = [talk._start for talk in talks if talk._start is not None]
    ends = [talk._end for talk in talks if talk._end is not None]
    first, last = _day(node, "start"), _day(node, "end")
    if starts and ends:
        made._start, made._end = min(starts), max(ends)
    elif first is not None and last is not None and first <= last:
        made._start = datetime.combine(first, time(0), zone).astimezone(UTC)
        made._end = datetime.combine(last, time(23, 59, 59), zone).astimezone(UTC)


def _day(node: Node, key: str) -> date | None:
    text = node.text(key, "")
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError:
        raise ImportRefused(f"{node.where}.{key} is no date: {text}") from None


def _contribution(talk: Talk, zone: ZoneInfo, base_url: str) -> Contribution:
    node = talk.node
    talk_id = node.id("id" if "id" in node.data else "guid")
    made = Contribution(_address_part(talk_id), node.get("title", str))
    paragraphs = (node.text(key, "").strip() for key in ("subtitle", "abstract", "description"))
    made._description = "\n\n".join(text for text in paragraphs if text)
    made._start = _start(talk, zone)
    made.duration = _duration(node)
    made._end = made._start + made.duration
    made.room = node.text("room", "") or talk.room or None
    made.track = node.text("track", "") or None
    made.type = node.text("type", "") or None
    address = node.text("url", "")
    made.url = urljoin(base_url, address) if address else None
    made.speakers = tuple(_speaker(one) for one in node.nodes("persons"))
    made.materials = own_all(made, tuple(_links(node, base_url)))
    return made


def _start(talk: Talk, zone: ZoneInfo) -> datetime:
    node = talk.node
    text = node.text("date", "")
    try:
        if text:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        text = f"{talk.day} {node.text('start')}"
        clock = time.fromisoformat(node.text("start").zfill(5))
        day = date.fromisoformat(talk.day) + timedelta(days=clock < NIGHT_ENDS)
        return datetime.combine(day, clock, zone).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise ImportRefused(f"{node.where} has no start that can be read: {text!r}") from None


def _duration(node: Node) -> timedelta:
    text = node.text("duration")
    found = DURATION.fullmatch(text)
    if found is None:
        raise ImportRefused(f"{node.where}.duration is {text!r}; it must be as 00:45")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _speaker(node: Node) -> ContributionParticipation:
    names = (node.text(key, "") for key in ("public_name", "name", "full_public_name"))
    name = next((name for name in names if name), "")
    if not name:
        raise ImportRefused(f"{node.where} has no public_name")
    return ContributionParticipation(
        str(node.get("id", int, str, NONE, default=None) or ""), last_name=name, shown_as=name
    )


def _links(node: Node, base_url: str) -> Iterator[Material]:
    for key, title in (("links", "Links"), ("attachments", "Attachments")):
        links = tuple(
            Link(one.text("title", "") or one.text("url"), urljoin(base_url, one.text("url")))
            for one in node.nodes(key)
        )
        if links:
            yield Material(key, title, links)


def _address_part(name: str) -> str:
    """Return *name* with nothing in it that an id in an address cannot have."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII)


def _zone(name: str, node: Node) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise ImportRefused(f"{node.where}.time_zone_name: no zone {name!r}") from None
