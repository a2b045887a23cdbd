"""People as events name them: values, replaced as a whole, not accounts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from export.fossilize import Fossilizable


@dataclass(frozen=True)
class Person(Fossilizable):
    """A name with an affiliation; `full_name` is how it is shown."""

    id: str
    first_name: str = ""
    last_name: str = ""
    affiliation: str = ""
    email: str | None = None
    title: str = ""
    shown_as: str | None = None
    db_id: int | None = None
    person_id: int | None = None
    email_hash: str | None = None
    """MD5 of an e-mail address, where the source of an import gave nothing else of it."""

    def getId(self) -> str:
        """Return the id, unique among the people of one object."""
        return self.id

    def getTitle(self) -> str:
        """Return the academic title."""
        return self.title

    def getFirstName(self) -> str:
        """Return the first name."""
        return self.first_name

    def getFamilyName(self) -> str:
        """Return the family name."""
        return self.last_name

    def getFullName(self) -> str:
        """Return the name as it is shown: title, family name, first name."""
        if self.shown_as is not None:
            return self.shown_as
        family = self.shown_family_name()
        name = ", ".join(part for part in (family, self.first_name) if part)
        return f"{self.title} {name}".strip()

    def shown_family_name(self) -> str:
        """Return the family name as it is part of a name that is shown."""
        return self.last_name

    def getAffiliation(self) -> str:
        """Return the institution."""
        return self.affiliation

    def getEmail(self) -> str | None:
        """Return the address; it is shown to those who may change the event only."""
        return self.email

    def getEmailHash(self) -> str:
        """Return the MD5 of the address, as avatar services use it; of "" without one."""
        if self.email is None and self.email_hash is not None:
            return self.email_hash
        return _hash(self.email or "")

    def has_email(self, address: str) -> bool:
        """Return whether *address* is this person's, whatever its case; "" is nobody's."""
        if self.email is None:
            return bool(address) and self.email_hash in (_hash(address), _hash(address.lower()))
        return bool(address) and self.email.lower() == address.lower()


def _hash(address: str) -> str:
    return hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


class _InCapitals(Person):
    """A person whose family name is shown in capitals, so that it is known for one."""

    def shown_family_name(self) -> str:
        return self.last_name.upper()


class Creator(_InCapitals):
    """An event's creator, whom answers show as an Avatar."""


class ConferenceChair(Person):
    """An event's chair."""


class ContributionParticipation(_InCapitals):
    """A speaker or an author of a contribution."""


class SubContribParticipation(_InCapitals):
    """A speaker of a subcontribution."""


class SlotChair(Person):
    """A convener of a session's slot."""
