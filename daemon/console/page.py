"""The page and the action: what the console is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from daemon.console.visit import Visit
from export.people.roles import Role

Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class ConsolePage:
    """A page: what it shows is *facts*, by its template."""

    path: str
    """Its address, with parameters as werkzeug's rules have them."""

    template: str
    facts: Callable[[Visit], Facts]
    """Returns what the template shows, read from the snapshot of the visit.

    It may raise exceptions of `werkzeug.exceptions`, such as NotFound with a sentence.
    """

    label: str = ""
    """Its name in the navigation; empty for a page that is not there."""

    role: Role = Role.VIEWER
    """The least role of those who see it."""

    is_live: bool = True
    """Whether it keeps up with the database by itself."""


@dataclass(frozen=True)
class Done:
    """The end of an action: a sentence for people, and the address of the page to show next."""

    text: str
    next: str = ""
    """Empty for the page that it was asked from."""

    secret: str = ""
    """A text for the user alone: shown once, and kept nowhere."""


@dataclass(frozen=True)
class Action:
    """Something that a user does: a POST with a token of their session."""

    path: str
    """Its address, with the parameters of *page* and maybe others."""

    perform: Callable[[Visit], Done | str]
    """Does it, in one transaction, and says what was done. It may run twice, after a conflict.

    It raises FieldFault for bad input.
    """

    page: ConsolePage
    """The page that its form is on."""

    role: Role = Role.OPERATOR
    """The least role of those who may do it."""

    @property
    def name(self) -> str:
        """Its name in the list of actions."""
        return " ".join(part for part in self.path.split("/") if part and part[0] != "<")
