"""The commands of groups: `indico_export group ...`."""

from __future__ import annotations

from argparse import Namespace

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.errors import CatalogueException
from export.people.group import Group, groups, named_in, principal

HEADS = ("id", "name", "members")


def add_commands(commands: Commands) -> None:
    """Add the commands of groups; MEMBER is a user's id, or group:ID."""
    found = add_noun(commands, "group", "groups of users")
    create = add_verb(found, "create", "make a group", _create, "id")
    create.add_argument("--name", default="")
    add_verb(found, "list", "show all groups", _list)
    for verb, work, about in (
        ("add", _add, "make users and groups members"),
        ("remove", _remove, "let users and groups be members no more"),
    ):
        parser = add_verb(found, verb, about, work, "group")
        parser.add_argument("members", metavar="MEMBER", nargs="+", help="a user, or group:ID")
    add_verb(found, "delete", "end a group, and what it opened", _delete, "group")


def _create(options: Namespace, connection: Connection) -> Told:
    group = Group(options.id, options.name)
    groups(connection).add(group)
    return Told(f"{group}, {group.name}", _facts(group))


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, map(_row, groups(connection)))


def _facts(group: Group) -> dict[str, str]:
    return named(HEADS, _row(group))


def _row(group: Group) -> tuple[str, str, str]:
    return group.id, group.name, " ".join(map(str, group.getMemberList()))


def _add(options: Namespace, connection: Connection) -> Told:
    group = _named(options, connection)
    for member in options.members:
        group.add(principal(member, connection))
    return Told(f"{', '.join(options.members)}: in {group}", _facts(group))


def _remove(options: Namespace, connection: Connection) -> Told:
    group = _named(options, connection)
    for text in options.members:
        for member in named_in(group.getMemberList(), text):
            group.remove(member)
    return Told(f"{', '.join(options.members)}: not in {group} by name", _facts(group))


def _delete(options: Namespace, connection: Connection) -> Told:
    group = _named(options, connection)
    facts = _facts(group)
    groups(connection).remove(group)
    return Told(f"{group} is no more", facts)


def _named(options: Namespace, connection: Connection) -> Group:
    found = groups(connection).find(options.group)
    if found is None:
        raise CatalogueException(f"there is no group {options.group!r}")
    return found
