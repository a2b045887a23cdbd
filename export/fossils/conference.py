"""Fossils of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import taggedValue

from export.fossils.contribution import (
    IContributionFossil,
    IContributionWithSubContribsFossil,
    shown_title,
)
from export.fossils.person import IConferenceChairFossil
from export.fossils.placed import IPlacedFossil
from export.fossils.session import ISessionSlotFossil

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def visibility(event: Any, filters: Mapping[str, Callable[[Any], bool]]) -> dict[str, str | None]:
    """Return how far up the categories the event is listed; who may not see one gets no name."""
    path = event.getOwner().getCategoryPath() if event.getOwner() is not None else []
    return listed_up_to(event.visibility, path, filters)


def listed_up_to(
    levels: int, path: list[Any], filters: Mapping[str, Callable[[Any], bool]]
) -> dict[str, str | None]:
    """Return the category that is *levels* up on *path*, whose first is one up."""
    if levels == 0:
        return {"id": "", "name": "Nowhere"}
    if levels > len(path):
        return {"id": "", "name": "Everywhere"}
    category = path[levels - 1]
    name = category.getTitle() if filters["access"](category) else None
    return {"id": category.getId(), "name": name}


class IConferenceFossil(IPlacedFossil):
    """An event; detail `events`."""

    taggedValue("of", "export.model.conference:Conference")
    taggedValue("fossil", "conferenceMetadata")

    def type(): ...
    def status(): ...
    def timezone(): ...
    def getCategory(): ...

    getCategory.produce = lambda event: event.getOwner()
    getCategory.convert = shown_title

    def getCategoryId(): ...

    getCategoryId.produce = lambda event: event.getOwner().getId()

    def getAddress(): ...
    def map_url(): ...

    map_url.name = "roomMapURL"

    def chairs(): ...

    chairs.result = IConferenceChairFossil

    def creator(): ...

    creator.result = IConferenceChairFossil

    def getCreationDate(): ...
    def getModificationDate(): ...
    def getVisibility(): ...

    getVisibility.produce = lambda event: event
    getVisibility.convert = visibility

    def hasAnyProtection(): ...
    def getKeywords(): ...
    def references(): ...

    references.convert = list

    def organizer(): ...
    def language(): ...
    def label(): ...
    def note(): ...


class IConferenceWithContribsFossil(IConferenceFossil):
    """An event; detail `contributions`."""

    taggedValue("fossil", "conferenceMetadataWithContribs")

    def getContributionList(): ...

    getContributionList.name = "contributions"
    getContributionList.result = IContributionFossil
    getContributionList.filterBy = "access"


class IConferenceWithSubContribsFossil(IConferenceFossil):
    """An event; detail `subcontributions`."""

    taggedValue("fossil", "conferenceMetadataWithSubContribs")

    def getContributionList(): ...

    getContributionList.name = "contributions"
    getContributionList.result = IContributionWithSubContribsFossil
    getContributionList.filterBy = "access"


class IConferenceWithSessionsFossil(IConferenceFossil):
    """An event; detail `sessions`: contributions of a session are inside it."""

    taggedValue("fossil", "conferenceMetadataWithSessions")

    def getContributionList(): ...

    getContributionList.name = "contributions"
    getContributionList.result = IContributionWithSubContribsFossil
    getContributionList.filterBy = "outside_sessions"

    def getSessionSlotList(): ...

    getSessionSlotList.name = "sessions"
    getSessionSlotList.result = ISessionSlotFossil
    getSessionSlotList.filterBy = "access"
