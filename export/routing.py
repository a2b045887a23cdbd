"""The routing table: which resource is at an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule

from export.errors import ExportConfigurationException, UnknownResource
from export.resource import Resource

Found = tuple[Resource, Mapping[str, str]]

PLACEHOLDER = re.compile(r"<(?:(?P<converter>\w+)(?:\((?P<choices>[^)]*)\))?:)?(?P<name>\w+)>")
"""A part of an address that is not the same in all."""


class Part(BaseConverter):
    """A part of an address that is not the same in all."""

    described = ""
    """The regular expression for programs, where they could not read the other one alike."""


class Word(Part):
    """Letters, digits and `_`, as most ids are."""

    regex = "[A-Za-z0-9_]+"


class Words(Part):
    """Several words with `-` or `,` between them."""

    regex = "[A-Za-z0-9_]+(?:[-,][A-Za-z0-9_]+)*"


class Id(Part):
    """Ids of any kind, or several with `-` or `,` between them."""

    regex = "[^/]+"


class Digits(Part):
    """A whole number, as it is written."""

    regex = "[0-9]+"


class Name(Part):
    """A name of a place; blanks are part of it."""

    regex = r"[\w\s]+"
    described = "[^/]+"


class Names(Part):
    """Several names with `-` or `,` between them."""

    regex = r"[\w\s]+(?:[-,][\w\s]+)*"
    described = "[^/]+"


class RoomIds(Part):
    """Ids of rooms with `-` or `,` between them."""

    regex = r"\w+(?:[-,][\w\s]+)*"
    described = "[0-9]{1,18}(?:[-,][0-9]{1,18})*"


class FullName(Part):
    """A full name of a room, which may have slashes in it."""

    regex = r"[\w\s/-]+"
    described = "[^/]+"
    part_isolating = False


CONVERTERS: dict[str, type[Part]] = {
    "word": Word,
    "words": Words,
    "id": Id,
    "digits": Digits,
    "name": Name,
    "names": Names,
    "room_ids": RoomIds,
    "full_name": FullName,
}


class RoutingTable:
    """Resources by their addresses. Raises ExportConfigurationException for one that is taken."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        _check(self.resources)
        rules = [
            Rule(address, endpoint=each, methods=[each.method])
            for each in self.resources
            for address in each.addresses
        ]
        routes = Map(rules, converters=CONVERTERS, merge_slashes=False)
        self._routes = routes.bind("")

    def find(self, path: str, method: str) -> Found:
        """Return the resource at *path*, and the parts of the path. Raises UnknownResource.

        It is the one that takes *method*, or any other if none does.
        """
        try:
            if path.startswith("//"):
                raise NotFound
            return self._match(path, method)
        except (NotFound, RequestRedirect):
            raise nothing_at(path) from None

    def methods(self, path: str) -> list[str]:
        """Return the methods that *path* takes, OPTIONS last."""
        return [*sorted(self._routes.allowed_methods(path)), "OPTIONS"]

    def _match(self, path: str, method: str) -> Found:
        try:
            return self._routes.match(path, method)
        except MethodNotAllowed as error:
            return self._routes.match(path, next(iter(error.valid_methods or (method,))))


def nothing_at(path: str) -> UnknownResource:
    """Return the error that nothing is exported at *path*."""
    return UnknownResource(f"Nothing is exported at '{path}'")


def _alike(placeholder: re.Match[str]) -> str:
    """Return *placeholder* without its name, which does not tell addresses apart."""
    return f"<{placeholder['converter']}({placeholder['choices']})>"


def _check(resources: Iterable[Resource]) -> None:
    taken: dict[tuple[str, str], Resource] = {}
    for each in resources:
        for address in each.addresses:
            other = taken.setdefault((PLACEHOLDER.sub(_alike, address), each.method), each)
            if other is not each:
                raise ExportConfigurationException(
                    f"the resources {other.name!r} and {each.name!r} both answer {each.method} "
                    f"{address}: give one of them another address"
                )
