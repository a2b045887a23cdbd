"""A draft: an event with all its parts, read from a file and not yet in the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from export.errors import ImportRefused
from export.model.catalogue import ROOT, Catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from export.model.group import Group, groups
from export.model.session import Session, SessionSlot
from export.model.user import users


@dataclass
class Draft:
    """An event and its parts. `problems` says what had to be left out, and why."""

    event: Conference
    categories: list[tuple[str, str]] = field(default_factory=list)
    """Ids and titles from the first one below the root down to the event's own."""
    contributions: list[Contribution] = field(default_factory=list)
    subcontributions: dict[str, list[SubContribution]] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    allowed_users: list[str] = field(default_factory=list)
    """Who may see the event, by their e-mail addresses."""
    allowed_groups: list[str] = field(default_factory=list)

    def enter(self, catalogue: Catalogue, *, replace: bool = False) -> Conference:
        """Put the event into *catalogue*, in the caller's transaction.

        Categories are made where they are missing; with *replace* an event of the same id makes
        room. Nothing is written before ImportRefused is raised.
        """
        before = catalogue.event(self.event.getId())
        if before is not None and not replace:
            raise ImportRefused(
                f"the event {self.event.getId()} is in the catalogue already; "
                "replace it with --replace"
            )
        if before is not None:
            catalogue.remove_event(before)
        self._open(catalogue)
        catalogue.add_event(self.event, self._category(catalogue))
        for contribution in self.contributions:
            self.event.addContribution(contribution)
            for sub in self.subcontributions.get(contribution.getId(), ()):
                contribution.addSubContribution(sub)
        for session in self.sessions:
            self.event.addSession(session)
        return self.event

    def group(self, titles: dict[str, str]) -> None:
        """Make a session with one slot of each title that *titles* gives contributions, by id."""
        members: dict[str, list[Contribution]] = {}
        for contribution in self.contributions:
            title = titles.get(contribution.getId())
            if title:
                members.setdefault(title, []).append(contribution)
        for number, (title, talks) in enumerate(sorted(members.items())):
            session, slot = Session(str(number), title), SessionSlot("0")
            session.addSlot(slot)
            slot._start = min((talk._start for talk in talks if talk._start), default=None)
            slot._end = max((talk._end for talk in talks if talk._end), default=None)
            fill(slot, talks)
            self.sessions.append(session)

    def _open(self, catalogue: Catalogue) -> None:
        """Open the event to those who are named; a group that is new has no members yet."""
        known = {user.email: user.id for user in users(catalogue)} if self.allowed_users else {}
        for address in self.allowed_users:
            self.event.grant_access(known.get(address, address))
        found = groups(catalogue)
        for group_id in self.allowed_groups:
            self.event.grant_access(found.find(group_id) or found.add(Group(group_id)))

    def _category(self, catalogue: Catalogue) -> Category:
        parent = catalogue.root
        for category_id, title in self.categories:
            if category_id == ROOT:
                continue
            found = catalogue.category(category_id)
            if found is None:
                found = Category(category_id, title)
                catalogue.add_category(found, parent)
            parent = found
        return parent


@dataclass(frozen=True)
class Item:
    """One thing of a file that goes in or is left out as a whole.

    `make` reads it anew at each call, as a transaction that is done again needs it; it raises
    ImportRefused.
    """

    where: str
    make: Callable[[], Draft]
    source: str = ""
    """The file or the address."""


def fill(slot: SessionSlot, talks: list[Contribution]) -> None:
    """Put *talks* into *slot*, which is in its session."""
    slot.contributions = (*slot.contributions, *talks)
    for talk in talks:
        talk.session = slot.getSession()
