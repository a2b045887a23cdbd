"""Fossils of categories, and the shortest fossil of events."""

from __future__ import annotations

from typing import Any

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.placed import in_zone

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def parent_id(category: Any) -> str | None:
    """Return the id of the category that *category* is in; None for the root."""
    owner = category.getOwner()
    return str(owner.getId()) if owner is not None else None


class ICategoryFossil(IFossil):
    """A category on the way to an event."""

    taggedValue("of", "export.model.category:Category")
    taggedValue("fossil", "categoryMetadata")

    def getId(): ...
    def getName(): ...
    def getURL(): ...

    getURL.name = "url"
    getURL.convert = absolute


class ICategoryProtectedFossil(ICategoryFossil):
    """A category that the caller may not see."""

    taggedValue("fossil", "categoryProtectedMetadata")

    def getName(): ...

    getName.produce = lambda _category: None


class IListedCategoryFossil(IFossil):
    """A category in a list of categories."""

    taggedValue("of", "export.model.category:Category")
    taggedValue("fossil", "categoryListed")

    def getId(): ...
    def getTitle(): ...
    def getDescription(): ...
    def getURL(): ...

    getURL.name = "url"
    getURL.convert = absolute

    def getParentId(): ...

    getParentId.produce = parent_id
    getParentId.name = "parentId"


class IBasicConferenceFossil(IFossil):
    """An event in a user's list."""

    taggedValue("of", "export.model.conference:Conference")
    taggedValue("fossil", "basicConferenceMetadata")

    def getId(): ...
    def getTitle(): ...
    def type(): ...
    def getStartDate(): ...

    getStartDate.convert = in_zone

    def getEndDate(): ...

    getEndDate.convert = in_zone

    def getCategory(): ...

    getCategory.produce = lambda event: event.getOwner().getTitle()

    def getCategoryId(): ...

    getCategoryId.produce = lambda event: event.getOwner().getId()

    def getURL(): ...

    getURL.name = "url"
    getURL.convert = absolute
