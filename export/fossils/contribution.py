"""Fossils of contributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.allowed import allowed
from export.fossils.material import IFolderFossil, IMaterialFossil
from export.fossils.person import IContributionParticipationFossil
from export.fossils.placed import IPlacedFossil, minutes

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def shown_title(owner: Any, filters: Mapping[str, Callable[[Any], bool]]) -> str | None:
    """Return the title of what something is in, for those who may see that."""
    return owner.getTitle() if owner is not None and filters["access"](owner) else None


class ISubContributionFossil(IFossil):
    """A subcontribution."""

    taggedValue("of", "export.model.contribution:SubContribution")
    taggedValue("fossil", "subContributionMetadata")

    def getId(): ...
    def getTitle(): ...
    def getDuration(): ...

    getDuration.convert = minutes

    def getSpeakerList(): ...

    getSpeakerList.name = "speakers"
    getSpeakerList.result = IContributionParticipationFossil

    def getMaterialList(): ...

    getMaterialList.name = "material"
    getMaterialList.result = IMaterialFossil
    getMaterialList.filterBy = "access"

    def folders(): ...

    folders.result = IFolderFossil
    folders.filterBy = "access"

    def note(): ...
    def code(): ...
    def getAllowed(): ...

    getAllowed.produce = allowed
    getAllowed.onlyIf = "canModify"


class IContributionFossil(IPlacedFossil):
    """A contribution."""

    taggedValue("of", "export.model.contribution:Contribution")
    taggedValue("fossil", "contributionMetadata")

    def getDuration(): ...

    getDuration.convert = minutes

    def speakers(): ...

    speakers.result = IContributionParticipationFossil

    def primary_authors(): ...

    primary_authors.name = "primaryauthors"
    primary_authors.result = IContributionParticipationFossil

    def co_authors(): ...

    co_authors.name = "coauthors"
    co_authors.result = IContributionParticipationFossil

    def track(): ...
    def session(): ...

    session.convert = shown_title

    def type(): ...
    def getKeywords(): ...
    def references(): ...

    references.convert = list

    def note(): ...
    def getModificationDate(): ...
    def code(): ...
    def board_number(): ...
    def db_id(): ...
    def friendly_id(): ...


class IContributionWithSubContribsFossil(IContributionFossil):
    """A contribution with its subcontributions."""

    taggedValue("fossil", "contributionMetadataWithSubContribs")

    def getSubContributionList(): ...

    getSubContributionList.name = "subContributions"
    getSubContributionList.result = ISubContributionFossil
    getSubContributionList.filterBy = "access"
