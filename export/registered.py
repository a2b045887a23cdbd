"""The resources that are registered: those built in, installed packages', and the process's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

from export.categories import Categories
from export.collection import Collection
from export.errors import ExportConfigurationException
from export.resource import Resource
from export.resources import BUILT_IN
from export.resources.description import description_of

ENTRY_POINTS = "zodb_relay.resources"

_registered: list[Any] = []


def register(*resources: Any) -> None:
    """Serve *resources*, Resources or Collections, in every application made from now on.

    A resource that is registered already is not registered again.
    """
    _registered.extend(each for each in resources if each not in _registered)


def unregister(*resources: Any) -> None:
    """Serve *resources* no more in applications made from now on."""
    for each in resources:
        if each in _registered:
            _registered.remove(each)


def all_resources(own: Iterable[Any] = ()) -> tuple[Resource, ...]:
    """Return all resources: the built-in, the installed, the registered ones, and *own*.

    Raises ExportConfigurationException for what is no resource; what cannot be loaded raises
    its own error.
    """
    installed = {entry.value: entry.load() for entry in entry_points(group=ENTRY_POINTS)}
    more = [*installed.values(), *_registered, *own]
    found = (
        *BUILT_IN,
        *Categories().resources,
        *dict.fromkeys(each for one in more for each in _of(one)),
    )
    return (*found, *description_of(found))


def _of(found: Any) -> Iterator[Resource]:
    if isinstance(found, Resource):
        yield found
    elif isinstance(found, Collection):
        yield from found.resources
    elif isinstance(found, type) and issubclass(found, Collection):
        yield from found().resources
    elif isinstance(found, list | tuple):
        for each in found:
            yield from _of(each)
    else:
        raise ExportConfigurationException(
            f"{found!r} is no resource: give an export.resource.Resource, or a subclass or an "
            "instance of export.collection.Collection"
        )
