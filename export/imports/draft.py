"""A draft: an event with all its parts, read from a file and not yet in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from export.errors import ImportRefused
from export.imports.ids import digest, reachable
from export.imports.indico.visibility import Visibility
from export.imports.links import web_address
from export.imports.node import NONE, Node
from export.model.access import Protection
from export.model.catalogue import ROOT, Catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from export.model.entry import Placed
from export.model.session import Session, SessionSlot
from export.people.group import Group, groups
from export.people.user import users

BAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that reading a file raises because of its content."""

FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
"""Times that the clocks of every zone can show."""


class Noted(ImportRefused):
    """Something is told about a file of which nothing is left out."""


@dataclass
class Draft:
    """An event and its parts. `problems` says what had to be left out, and why."""

    event: Conference
    origin: str = ""
    """The event's name at its source, which no other event has."""

    categories: list[tuple[str, str | None]] = field(default_factory=list)
    """Ids and titles from the first one below the root down to the event's own; the title of
    one that only some may see is None."""

    contributions: list[Contribution] = field(default_factory=list)
    subcontributions: dict[str, list[SubContribution]] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Changes and assumptions by which no content was lost."""

    visibility: Visibility = field(default_factory=Visibility)

    def enter(self, catalogue: Catalogue, *, replace: bool = False) -> Conference:
        """Put the event into *catalogue*, in the caller's transaction.

        Categories are made where they are missing. An event that is there from the same origin
        makes room with *replace*; every other event stays, and this one gets an id of its own
        where that event has its id. Nothing is written before ImportRefused is raised.
        """
        before = self._before(catalogue)
        if before is not None and not replace:
            raise ImportRefused(
                f"the event {before.getId()} is in the catalogue already; replace it with --replace"
            )
        if before is not None:
            self.event.set_id(before.getId())
            catalogue.remove_event(before)
        elif catalogue.event(self.event.getId()) is not None:
            taken = self.event.getId()
            self.event.set_id(digest(self.origin))
            self.notes.append(
                f"the id {taken} is that of another event; this one goes in with the id "
                f"{self.event.getId()}"
            )
        self.event.origin = self.origin
        self._grant(catalogue)
        catalogue.add_event(self.event, self._category(catalogue))
        for contribution in self.contributions:
            self.event.addContribution(contribution)
            for sub in self.subcontributions.get(contribution.getId(), ()):
                contribution.addSubContribution(sub)
        for session in self.sessions:
            self.event.addSession(session)
        return self.event

    def _before(self, catalogue: Catalogue) -> Conference | None:
        """Return the event that an earlier import of the same origin made."""
        for event_id in (digest(self.origin), self.event.getId()):
            found = catalogue.event(event_id)
            if found is not None and found.origin and found.origin == self.origin:
                return found
        return None

    def address(self, node: Node, key: str, base: str = "") -> str:
        """Return the address *key* of *node*; "" without one that a browser can follow."""
        text = str(node.get(key, str, NONE, default=None) or "")
        found = web_address(text, base)
        if text and found is None:
            self.problems.append(f"{node.at(key)} is no web address: {text[:60]!r}; it is left out")
        return found or ""

    def part_id(self, node: Node, key: str = "id") -> str:
        """Return the id *key* of *node*, or where no address can have that, one made of it."""
        told = node.id(key)
        made = reachable(told)
        if made != told:
            self.notes.append(
                f"{node.at(key)} is {told[:40]!r}, which no address can have; it is now {made}"
            )
        return made

    def group(self, titles: dict[str, str]) -> None:
        """Make a session with one slot of each title that *titles* gives contributions, by id.

        A title that closed contributions alone tell is for those who may see them all.
        """
        members: dict[str, list[Contribution]] = {}
        for contribution in self.contributions:
            title = titles.get(contribution.getId())
            if title:
                members.setdefault(title, []).append(contribution)
        for number, (title, talks) in enumerate(sorted(members.items())):
            session, slot = Session(str(number), title), SessionSlot("0")
            session.addSlot(slot)
            slot.setDates(*span(talks))
            self._close_with(session, talks)
            fill(slot, talks)
            self.sessions.append(session)

    def _close_with(self, session: Session, talks: list[Contribution]) -> None:
        rules = {id(part): rule for part, rule in self.visibility.rules}
        own = [rules.get(id(talk)) for talk in talks]
        common = own[0]
        for rule in own:
            common = common & rule if common is not None and rule is not None else None
        self.visibility.close(session, common, None)

    def _grant(self, catalogue: Catalogue) -> None:
        """Grant the users and groups named access to closed parts; new groups have no members."""
        if not self.visibility.rules:
            return
        known = {user.email.lower(): user.id for user in users(catalogue) if user.email}
        found = groups(catalogue)
        for part, rule in self.visibility.rules:
            for address in sorted(rule.users):
                if "@" in address:
                    part.grant_access(known.get(address.lower(), address))
            for group_id in sorted(rule.groups):
                part.grant_access(found.find(group_id) or found.add(Group(group_id)))
        strangers = {name for _, rule in self.visibility.rules for name in rule.users}
        for name in sorted(name for name in strangers if "@" not in name):
            self.notes.append(
                f"{name!r} is no e-mail address; that user of the source sees nothing"
            )

    def _category(self, catalogue: Catalogue) -> Category:
        parent = catalogue.root
        for category_id, title in self.categories:
            if category_id == ROOT:
                continue
            found = catalogue.category(category_id)
            if found is None:
                found = Category(category_id, title or "")
                catalogue.add_category(found, parent)
                if title is None or self._is_closed:
                    found.is_secret = title is not None
                    found.setProtection(Protection.RESTRICTED)
                    self.notes.append(
                        f"the category {category_id} is new, and known by what is closed; "
                        "it is closed, too"
                    )
            elif found.is_secret and not self._is_closed:
                found.is_secret = False
                self.notes.append(
                    f"the category {category_id} is known by an open event, too; it is open"
                )
                found.setProtection(Protection.INHERITING)
            parent = found
        return parent

    @property
    def _is_closed(self) -> bool:
        """Whether the event is not for everybody."""
        return self.event.isProtected()


@dataclass(frozen=True)
class DraftItem:
    """One thing of a file that goes in or is left out as a whole.

    `make` reads it anew at each call, as a transaction that is done again needs it; it raises
    ImportRefused.
    """

    where: str
    make: Callable[[], Draft]
    source: str = ""
    """The file or the address."""

    is_public: bool = False
    """Whether everybody may see it at its source."""


def fill(slot: SessionSlot, talks: list[Contribution]) -> None:
    """Put *talks* into *slot*, which is in its session."""
    slot.contributions = (*slot.contributions, *talks)
    for talk in talks:
        talk.session = slot.getSession()


def span(talks: Iterable[Contribution]) -> tuple[datetime | None, datetime | None]:
    """Return when the first of *talks* starts and the last one ends; None for what none tells."""
    dates = [(talk.getStartDate(), talk.getEndDate()) for talk in talks]
    start = min((start for start, _ in dates if start is not None), default=None)
    end = max((end for _, end in dates if end is not None), default=None)
    return start, end if start is None or end is None else max(start, end)


def place(entry: Placed, start: datetime | None, end: datetime | None, where: str) -> None:
    """Set the dates of *entry* to *start* and *end*. Raises ImportRefused."""
    for moment in (start, end):
        if moment is not None and not FIRST <= moment <= LAST:
            raise ImportRefused(f"{where}: {moment.isoformat()} is too near to the calendar's edge")
    if start is not None and end is not None and end < start:
        raise ImportRefused(f"{where}: the end ({end}) is before the start ({start})")
    entry.setDates(start, end)
