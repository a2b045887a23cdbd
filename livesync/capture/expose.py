"""Exposing: one declaration by which a class of an application is captured, sent and served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from persistent import Persistent
from zope.interface.interface import InterfaceClass

from export.fossil_plan import InvalidFossilException, plan_of
from export.fossilize import IFossil
from livesync.capture.watch import declare, default_id
from livesync.errors import WatchException
from livesync.objects.watched_class import Identify, WatchedClass, name_of
from livesync.records.document import OF_THE_RECORD
from scheduler.values.extras import missing_extra

TOLD = {*OF_THE_RECORD, "type", "restricted"}
"""The names in a document that tell of the record, and not of its object."""


def expose(
    kind: type[Persistent],
    *,
    fossil: Any,
    identify: Identify | str = default_id,
    agents: Iterable[str] | None = None,
    address: str | None = None,
) -> None:
    """Record changes of *kind* as `watch` does, and show its objects by *fossil*.

    Agents send that as the document of an object, all or those with the ids in *agents*. It is
    served at `/export/ADDRESS/ID.json`; the *address* is the name of the class in small letters,
    if none is given, and empty for none. The object's `canAccess(user)` decides if a user may
    see it; an object without protection is open to all. Raises WatchException if *kind* cannot be
    exposed.
    """
    watched = WatchedClass.of(kind, None if identify is default_id else identify)
    own = kind.__name__.lower() if address is None else address
    _check_fossil(kind, fossil)
    _check_address(kind, own)
    declare(
        [
            watched._replace(
                fossil=name_of(fossil, f"the fossil of {kind.__qualname__},"),
                agents=_agents(kind, agents),
                address=own,
            )
        ]
    )


def _check_fossil(kind: type, fossil: Any) -> None:
    if not isinstance(fossil, InterfaceClass) or not fossil.extends(IFossil):
        raise WatchException(
            f"{kind.__qualname__} cannot be exposed: {fossil!r} is no fossil; derive an interface "
            "from export.fossilize.IFossil"
        )
    try:
        plan = plan_of(fossil)
    except InvalidFossilException as error:
        raise WatchException(f"{kind.__qualname__} cannot be exposed: {error}") from error
    names = {name for field in plan.fields for name in _names(field)}
    for name in sorted(TOLD & names):
        raise WatchException(
            f"{kind.__qualname__} cannot be exposed: the field {name!r} of {fossil.__name__} "
            "tells in a record what happened; give it another name with the tag `name`"
        )


def _names(field: Any) -> Iterator[str]:
    if field.name is not None:
        yield field.name.partition(".")[0]
    else:
        yield from (name for name in field.plain_names if name is not None)


def _check_address(kind: type, address: str) -> None:
    if not address:
        return
    if not re.fullmatch("[a-z0-9_]+", address):
        raise WatchException(
            f"{kind.__qualname__} cannot be at {address!r}: an address has small letters, digits "
            "and _ only; give address='...'"
        )
    for resource in _resources():
        if any(
            each.startswith((f"/export/{address}/", f"/export/{address}."))
            for each in resource.addresses
        ):
            raise WatchException(
                f"{kind.__qualname__} cannot be at /export/{address}, where {resource.name!r} is: "
                "give address='...'"
            )


def _resources() -> Iterable[Any]:
    """Return the resources of the export; none where the export is not installed."""
    # Imported only where it is asked for: its libraries are those of an extra.
    try:
        from export.registered import all_resources
    except ImportError as error:
        if not missing_extra(error):
            raise
        return ()
    return all_resources()


def _agents(kind: type, agents: Iterable[str] | None) -> tuple[str, ...] | None:
    if agents is None:
        return None
    found = (agents,) if isinstance(agents, str) else tuple(agents)
    for each in found:
        if not isinstance(each, str):
            raise WatchException(
                f"{kind.__qualname__} cannot be sent by {each!r}: give the ids of agents"
            )
    return found
