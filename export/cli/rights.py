"""The commands of rights: `indico_export right ...`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.errors import CatalogueException
from export.model.access import Protected, Protection
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.people.group import named_in, principal

HEADS = ("user", "right")
PARTS: dict[str, Callable[[Conference, str], Any]] = {
    "contribution": lambda event, part: event.getContributionById(part),
    "session": lambda event, part: event.sessions.get(part),
}


def add_commands(commands: Commands) -> None:
    """Add the commands of rights.

    OBJECT is category/ID, event/ID, event/ID/contribution/ID or event/ID/session/ID; who may
    change the category 0 may do everything. USER may be a group, as group:ID.
    """
    rights = add_noun(commands, "right", "who may see and change what")
    for verb, work, about in (
        ("grant", _grant, "give a user a right"),
        ("revoke", _revoke, "take a right from a user"),
    ):
        parser = add_verb(rights, verb, about, work, "user")
        parser.add_argument("right", choices=("access", "modification"))
        parser.add_argument("object", metavar="OBJECT", help="as category/2 or event/77")
    protect = add_verb(rights, "protect", "open or close something", _protect, "object")
    levels = [level.name.lower() for level in Protection]
    protect.add_argument("level", choices=levels)
    add_verb(rights, "list", "show who may see and change something", _list, "object")


def _grant(options: Namespace, connection: Connection) -> Told:
    found = _named(options, connection)
    grant = found.grant_access if options.right == "access" else found.grant_modification
    grant(principal(options.user, connection))
    return Told(f"{options.user} has {options.right} of {options.object}", _facts(found))


def _revoke(options: Namespace, connection: Connection) -> Told:
    found = _named(options, connection)
    of_access = options.right == "access"
    listed = found.getAllowedToAccessList() if of_access else found.getManagerList()
    revoke = found.revoke_access if of_access else found.revoke_modification
    for who in named_in(listed, options.user):
        revoke(who)
    text = f"{options.user} has no {options.right} of {options.object} by its own rule"
    return Told(text, _facts(found))


def _protect(options: Namespace, connection: Connection) -> Told:
    found = _named(options, connection)
    found.setProtection(Protection[options.level.upper()])
    return Told(f"{options.object} is {options.level}", _facts(found))


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, _rows(_named(options, connection)))


def _facts(found: Protected) -> list[dict[str, str]]:
    return [named(HEADS, row) for row in _rows(found)]


def _rows(found: Protected) -> list[tuple[str, str]]:
    seeing = map(str, found.admitted()) if found.isProtected() else {"everybody"}
    return [
        *((user, "access") for user in sorted(seeing)),
        *((user, "modification") for user in sorted(map(str, found.trusted()))),
    ]


def _named(options: Namespace, connection: Connection) -> Protected:
    found: Any = None
    match options.object.split("/"):
        case ["category", category]:
            found = catalogue(connection).category(category)
        case ["event", event]:
            found = catalogue(connection).event(event)
        case ["event", event, kind, part] if kind in PARTS:
            owner = catalogue(connection).event(event)
            found = PARTS[kind](owner, part) if owner is not None else None
    if not isinstance(found, Protected):
        raise CatalogueException(f"there is no {options.object!r}; name one as event/77")
    return found
