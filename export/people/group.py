"""Groups of users, which access lists name like users: by the object, where a user is a text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from scheduler.store import Schema, connection_of

PREFIX = "group:"
"""Prefix of a group's id where a text may name a user or a group."""


class Group(Persistent):
    """Some users and other groups under one id. Groups may contain each other in a circle.

    Adding different users merges; two transactions that change which groups are in it conflict.
    """

    def __init__(self, id: str, name: str = "") -> None:
        self.id = str(id)
        self.name = name or self.id
        self._users = OOTreeSet()
        self._groups: frozenset[Group] = frozenset()

    def __str__(self) -> str:
        return PREFIX + self.id

    def getId(self) -> str:
        """Return the id."""
        return self.id

    def getName(self) -> str:
        """Return the name for people."""
        return self.name

    def getMemberList(self) -> list[Principal]:
        """Return who is named as a member: the ids of users, and groups."""
        return [*self._users, *sorted(self._groups, key=str)]

    @property
    def groups(self) -> frozenset[Group]:
        """The groups that are members."""
        return self._groups

    def has_member(self, user: str) -> bool:
        """Say whether *user* is a member, or one of a group in it, however deep."""
        return any(group.names(user) for group in self._with_inner())

    def names(self, user: str) -> bool:
        """Return whether *user* is a member without the groups in it."""
        return user in self._users

    def add(self, member: Principal) -> None:
        """Make *member* one; nothing happens if it is one already."""
        if isinstance(member, Group):
            self._groups |= {member}
        else:
            self._users.add(member)

    def remove(self, member: Principal) -> None:
        """Remove *member* from this group; a group in it may still contain it."""
        if isinstance(member, Group):
            self._groups -= {member}
        else:
            self._users.discard(member)

    def clear(self) -> None:
        """Remove all members."""
        self._users.clear()
        self._groups = frozenset()

    def _with_inner(self) -> Iterator[Group]:
        seen, waiting = {self}, [self]
        while waiting:
            group = waiting.pop()
            yield group
            new = group.groups - seen
            seen |= new
            waiting.extend(new)


Principal: TypeAlias = "str | Group"
"""Whom an access list names: a user by their id, or a group."""


def is_among(user: str | None, listed: Collection[Principal]) -> bool:
    """Say whether *listed* names *user*, or a group that they are in."""
    if user is None or not listed:
        return False
    return user in listed or any(one.has_member(user) for one in listed if isinstance(one, Group))


class Groups(Persistent):
    """All groups, by id. Adding different groups merges."""

    def __init__(self) -> None:
        self._by_id = OOBTree()

    def add(self, group: Group) -> Group:
        """Take *group* in, and return it. Raises CatalogueException where its id is taken."""
        if group.id in self._by_id:
            raise CatalogueException(f"there is a group {group.id} already")
        self._by_id[group.id] = group
        return group

    def remove(self, group: Group) -> None:
        """Forget *group*; lists that name it open nothing by it, whoever takes the id next."""
        del self._by_id[group.id]
        group.clear()

    def find(self, group_id: str) -> Group | None:
        """Return the group of that id, or None."""
        found: Group | None = self._by_id.get(group_id)
        return found

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_id.values())


SCHEMA = Schema("groups", 1, Groups)


def groups(connection: Connection | Persistent | None = None) -> Groups:
    """Return the groups of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))


def principal(text: str, connection: Connection) -> Principal:
    """Return whom *text* names: the group of `group:ID`, else the user of that id.

    Raises CatalogueException for a group that is not there.
    """
    if not text.startswith(PREFIX):
        return text
    found = groups(connection).find(text.removeprefix(PREFIX))
    if found is None:
        raise CatalogueException(f"there is no {text}; make it with `group create`")
    return found


def named_in(listed: Iterable[Principal], text: str) -> list[Principal]:
    """Return whom of *listed* the text names, groups that were removed too."""
    return [one for one in listed if str(one) == text]
