"""The roles of users in the console of the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from scheduler.store import Schema, connection_of


class Role(IntEnum):
    """How much a user may do in the console; each role includes those below it."""

    NONE = 0
    """See and change their own keys and tokens."""

    VIEWER = 1
    """See everything."""

    OPERATOR = 2
    """Act on tasks, schedules, queues and agents."""

    ADMIN = 3
    """Act on the database, too."""

    @classmethod
    def named(cls, name: str) -> Role:
        """Return the role of that name. Raises CatalogueException for an unknown one."""
        try:
            return cls[name.upper()]
        except KeyError:
            known = ", ".join(map(str, reversed(cls)))
            raise CatalogueException(f"there is no role {name!r}: there are {known}") from None

    def __str__(self) -> str:
        return self.name.lower()


class Roles(Persistent):
    """The roles of the users who have one, by their ids.

    Conflict behaviour: giving roles to different users merges, but for the first admin's.
    """

    is_guarded = False
    """Whether there was an admin ever: from then on only users with a role see the console."""

    def __init__(self) -> None:
        self._by_user = OOBTree()

    def of(self, user: str) -> Role:
        """Return the role of the user with that id."""
        return Role(self._by_user.get(user, Role.NONE.value))

    def give(self, user: str, role: Role) -> None:
        """Make *role* that of the user with that id."""
        if role is Role.NONE:
            self._by_user.pop(user, None)
        else:
            self._by_user[user] = role.value
        if role is Role.ADMIN and not self.is_guarded:
            self.is_guarded = True

    def __iter__(self) -> Iterator[tuple[str, Role]]:
        return ((user, Role(value)) for user, value in self._by_user.items())


SCHEMA = Schema("roles", 1, Roles)


def roles(connection: Connection | Persistent | None = None) -> Roles:
    """Return the roles of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
