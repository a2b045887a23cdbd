"""The filter of changes: the kinds, classes and categories that an agent or a reader wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

from livesync.objects.object_model import is_lost, lineage, owner_of


@dataclass(frozen=True)
class ChangeFilter:
    """The kinds, classes and categories whose changes are wanted; empty ones for all.

    A class is named as `module.Class`, or by its name alone. An object in a category is in those
    above it, too.
    """

    types: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    @classmethod
    def of_texts(cls, types: str = "", classes: str = "", categories: str = "") -> Self:
        """Return the filter of these lists, in which names stand with `,` between them."""
        return cls(*(words(text) for text in (types, classes, categories)))

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        named = ((field.name, sorted(getattr(self, field.name))) for field in fields(self))
        return " ".join(f"{name}={','.join(values)}" for name, values in named if values)

    def wants_kind(self, kind: str) -> bool:
        """Say whether changes of some objects of that *kind* are wanted."""
        return not self.types or kind in self.types

    def wants(self, kind: str, obj: Any) -> bool:
        """Say whether changes of *obj*, which is of that *kind*, are wanted as it is now."""
        return (
            self.wants_kind(kind)
            and self._wants_class(obj)
            and (not self.categories or not self.categories.isdisjoint(_ids(lineage(obj))))
        )

    def may_have_wanted(self, kind: str, obj: Any, former: Iterable[str] | None) -> bool:
        """Say whether changes of *obj* may have been wanted while it lay in categories *former*.

        None stands for categories that are not known. *obj* may be gone from its database.
        """
        is_of_class = obj is None or is_lost(obj) or self._wants_class(obj)
        is_of_category = not self.categories or former is None
        return (
            self.wants_kind(kind)
            and is_of_class
            and (is_of_category or not self.categories.isdisjoint(former or ()))
        )

    def _wants_class(self, obj: Any) -> bool:
        return not self.classes or not self.classes.isdisjoint(_class_names(obj))


EVERYTHING = ChangeFilter()


def words(text: str | None) -> frozenset[str]:
    """Return the names in *text*, which stand with `,` between them."""
    return frozenset(filter(None, (word.strip() for word in (text or "").split(","))))


def former_categories(owner: Any) -> set[str]:
    """Return the ids of the categories in which what has left *owner* may have lain.

    Those in which its owners of today lay before count, too: a target may have heard of it then,
    and not yet that an owner was moved.
    """
    earlier: set[str] = set()
    place = owner
    while place is not None:
        earlier |= getattr(place, "former_places", frozenset())
        place = owner_of(place)
    return earlier.union(_ids(lineage(owner)))


def _ids(categories: Iterable[Any]) -> Iterator[str]:
    return (str(category.getId()) for category in categories)


def _class_names(obj: Any) -> Iterator[str]:
    for base in type(obj).__mro__:
        yield base.__name__
        yield f"{base.__module__}.{base.__qualname__}"
