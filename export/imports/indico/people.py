"""The people that a live Indico's answer names."""

from __future__ import annotations

from typing import TypeVar

from export.imports.node import NONE, Node
from export.model.person import Person

Kind = TypeVar("Kind", bound=Person)


def person(kind: type[Kind], node: Node) -> Kind:
    """Return the person *node*. Raises ImportRefused."""
    return kind(
        str(node.get("id", str, int)),
        first_name=node.text("first_name", "") or node.text("firstName", ""),
        last_name=node.text("last_name", "") or node.text("familyName", ""),
        affiliation=node.text("affiliation", default=""),
        email=node.get("email", str, NONE, default=None),
        title=node.text("title", default=""),
        email_hash=node.get("emailHash", str, NONE, default=None),
        shown_as=node.get("fullName", str),
        db_id=node.get("db_id", int, NONE, default=None),
        person_id=node.get("person_id", int, NONE, default=None),
    )


def people(kind: type[Kind], node: Node, key: str) -> tuple[Kind, ...]:
    """Return the people of the list *key*. Raises ImportRefused."""
    return tuple(person(kind, one) for one in node.nodes(key))
