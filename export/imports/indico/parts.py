"""The contributions and sessions of an event in a live Indico's answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from export.errors import ImportRefused
from export.imports.draft import Draft, fill, place
from export.imports.ids import reachable
from export.imports.indico.materials import Shelf
from export.imports.indico.people import people
from export.imports.indico.visibility import RuleOrNone, rule_of
from export.imports.node import NONE, Node
from export.model.contribution import Contribution, SubContribution
from export.model.entry import Entry, Placed
from export.model.person import ContributionParticipation, SlotChair, SubContribParticipation
from export.model.session import Session, SessionSlot

PLACE = {
    "location": "location",
    "room": "room",
    "room_full_name": "roomFullname",
    "address": "address",
}
PEOPLE = {"speakers": "speakers", "primary_authors": "primaryauthors", "co_authors": "coauthors"}


@dataclass(frozen=True)
class Parts:
    """The reader of one event's parts, into its draft; *above* is the event's own access rule."""

    draft: Draft
    above: RuleOrNone

    def contributions(self, node: Node, above: RuleOrNone) -> Iterator[tuple[Contribution, Node]]:
        """Add the contributions of *node* to the draft, and yield those that can be taken."""
        taken = {contribution.getId() for contribution in self.draft.contributions}
        for where, member in node.members("contributions"):
            try:
                part = Node.of(member, where)
                contribution, subs = self._contribution(part, above)
                check_new(contribution.getId(), taken, where)
            except ImportRefused as problem:
                self.draft.problems.append(str(problem))
                continue
            self.draft.contributions.append(contribution)
            self.draft.subcontributions[contribution.getId()] = subs
            yield contribution, part

    def _contribution(
        self, node: Node, above: RuleOrNone
    ) -> tuple[Contribution, list[SubContribution]]:
        contribution = Contribution(
            self.draft.part_id(node),
            node.get("title", str),
            node.text("description", default=""),
        )
        set_dates(contribution, node)
        contribution.duration = node.minutes("duration")
        for attribute, key in PEOPLE.items():
            setattr(contribution, attribute, people(ContributionParticipation, node, key))
        contribution.track = node.get("track", str, NONE, default=None)
        contribution.type = node.get("type", str, NONE, default=None)
        contribution.code = node.text("code", default="")
        contribution.board_number = node.text("board_number", default="")
        contribution.db_id = node.get("db_id", int, NONE, default=None)
        contribution.friendly_id = node.get("friendly_id", int, NONE, default=None)
        rule = self.draft.visibility.close(contribution, rule_of(node), above)
        describe(self.draft, contribution, node, rule)
        taken: set[str] = set()
        subs = [self._subcontribution(one, taken, rule) for one in node.nodes("subContributions")]
        _set_modification_date(contribution, node)
        return contribution, subs

    def _subcontribution(self, node: Node, taken: set[str], above: RuleOrNone) -> SubContribution:
        sub = SubContribution(
            self.draft.part_id(node), node.get("title", str), node.text("description", default="")
        )
        check_new(sub.getId(), taken, node.where)
        sub.duration = node.minutes("duration")
        sub.speakers = people(SubContribParticipation, node, "speakers")
        rule = self.draft.visibility.close(sub, rule_of(node), above)
        Shelf(self.draft, rule).fill(sub, node)
        sub.note, sub.code = _note(self.draft, node), node.text("code", "")
        return sub

    def sessions(self, node: Node) -> None:
        """Make the sessions of detail `sessions`, which lists their slots."""
        blocks: dict[str, list[Node]] = {}
        for where, member in node.members("sessions"):
            try:
                block = Node.of(member, where)
                blocks.setdefault(_session_id(block), []).append(block)
            except ImportRefused as problem:
                self.draft.problems.append(str(problem))
        for session_id, members in blocks.items():
            self._session(session_id, members)

    def _session(self, session_id: str, blocks: list[Node]) -> None:
        """Make a session of *blocks*; it is closed if one of them is."""
        session, rule = None, self.above
        for block in blocks:
            try:
                if session is None:
                    session, rule = self._first(session_id, block, blocks)
                    self.draft.sessions.append(session)
                self._slot(session, block, rule)
            except ImportRefused as problem:
                self.draft.problems.append(str(problem))
        if session is not None and session.slots:
            session.set_modification_date(min(one.getModificationDate() for one in session.slots))

    def _first(
        self, session_id: str, block: Node, blocks: Iterable[Node]
    ) -> tuple[Session, RuleOrNone]:
        node = block.node("session") or block
        session = Session(
            reachable(session_id), node.get("title", str), node.text("description", default="")
        )
        session.color = node.text("color", default="") or session.color
        session.text_color = node.text("textColor", default="") or session.text_color
        session.is_poster = node.get("isPoster", bool, default=False)
        rules = [rule for each in (node, *blocks) if (rule := rule_of(each)) is not None]
        common = rules[0] if rules else None
        for one in rules[1:]:
            common = one & common if common is not None else one
        rule = self.draft.visibility.close(session, common, self.above)
        describe(self.draft, session, node, rule)
        for attribute in PLACE:  # answers show "" for a session without a place of its own
            setattr(session, attribute, getattr(session, attribute) or None)
        return session, rule

    def _slot(self, session: Session, node: Node, rule: RuleOrNone) -> None:
        slot_id = _slot_id(node, session)
        slot = SessionSlot(slot_id, node.text("slotTitle", default=""))
        check_new(slot_id, {one.getId() for one in session.slots}, node.where)
        set_dates(slot, node)
        slot.location = None if node.data.get("inheritLoc") else node.text("location", "") or None
        slot.room = None if node.data.get("inheritRoom") else node.text("room", "") or None
        slot.conveners = people(SlotChair, node, "conveners")
        session.addSlot(slot)
        fill(slot, [contribution for contribution, _ in self.contributions(node, rule)])
        _set_modification_date(slot, node)


def _session_id(block: Node) -> str:
    """Return the id of the session that *block* is of; Indico 1.2 has it before a hyphen."""
    session = block.node("session")
    if session is not None and "id" in session.data:
        return session.id()
    return block.id().partition("-")[0]


def _slot_id(block: Node, session: Session) -> str:
    own, _, number = block.id().partition("-")
    if number and reachable(own) == session.getId():
        return reachable(number)
    return reachable(block.id()) if "session" in block.data else str(len(session.slots))


def describe(draft: Draft, entry: Entry, node: Node, rule: RuleOrNone) -> None:
    """Give *entry* the place, the words and the materials of *node*. Raises ImportRefused."""
    described: Any = entry
    for attribute, key in PLACE.items():
        setattr(described, attribute, node.get(key, str, NONE, default=None))
    described.url = draft.address(node, "url") or None
    described.keywords = tuple(node.get("keywords", list, default=[]))
    described.references = tuple(_reference(draft, *one) for one in node.members("references"))
    described.note = _note(draft, node)
    Shelf(draft, rule).fill(entry, node)


def _note(draft: Draft, node: Node) -> Any:
    note = node.node("note")
    if note is not None and "url" in note.data:
        return {**note.data, "url": draft.address(note, "url")}
    return note.data if note is not None else None


def _reference(draft: Draft, where: str, value: Any) -> Any:
    if not isinstance(value, dict) or "url" not in value:
        return value
    return {**value, "url": draft.address(Node(value, where), "url") or None}


def set_dates(entry: Placed, node: Node) -> None:
    """Set the dates of *entry* to those of *node*. Raises ImportRefused."""
    place(entry, node.date("startDate"), node.date("endDate"), node.where)


def _set_modification_date(entry: Entry, node: Node) -> None:
    modified = node.date("modificationDate", default=None)
    if modified is not None:
        entry.set_modification_date(modified)


def check_new(part_id: str, taken: set[str], where: str) -> None:
    """Take *part_id*. Raises ImportRefused where *taken* has it."""
    if part_id in taken:
        raise ImportRefused(f"{where}: two parts have the id {part_id!r}")
    taken.add(part_id)
