"""The categories: `/export/category`, all of them, some by their ids, or by words."""

from __future__ import annotations

from collections.abc import Iterable

from export.collection import Collection
from export.fossils.category import IListedCategoryFossil
from export.http.parameter import Parameter
from export.model.catalogue import catalogue
from export.model.category import Category


def _is_in(category: Category, parent_id: str) -> bool:
    owner = category.getOwner()
    return owner is not None and owner.getId() == parent_id


class Categories(Collection):
    """Categories that the caller may see, wherever they are."""

    address = "/export/category"
    details = {"categories": IListedCategoryFossil}  # noqa: RUF012 (as the base class has it)
    parameters = (Parameter("parent", "The id of the category they are in.", accepts=_is_in),)

    def members(self) -> Iterable[Category]:
        """Return all categories."""
        found: Iterable[Category] = catalogue().categories.values()
        return found

    def find(self, id: str) -> Category | None:
        """Return the category with that id, or None."""
        return catalogue().category(id)
