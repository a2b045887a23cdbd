"""Exclusion: whose changes are not recorded; by category, by class, by function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any, NamedTuple

from livesync.objects.object_model import lineage
from scheduler.store.moved import current_name
from scheduler.values.named_object import named_object

log = logging.getLogger(__name__)


class Exclusion(NamedTuple):
    """Excluded categories, classes and functions, by name: loading needs no code of them."""

    categories: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    functions: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        categories: Iterable[Any],
        classes: Iterable[type | str],
        functions: Iterable[Callable[[Any], bool] | str],
    ) -> Exclusion:
        """Return the exclusion of these; ValueError for a function that has no name to find it."""
        names = tuple(f if isinstance(f, str) else _name(f) for f in functions)
        for name in names:
            _function(name)
        return cls(
            frozenset(map(str, categories)),
            frozenset(c if isinstance(c, str) else _name(c) for c in classes),
            names,
        )

    def __bool__(self) -> bool:
        return any(self)

    def excludes(self, obj: Any, within: Any = None) -> bool:
        """Say whether *obj* is excluded: its class or a base of it, its category, by a function.

        Of its categories only those in category *within* count, where that is given.
        """
        if self.classes:
            classes = set(map(current_name, self.classes))
            if any(_name(base) in classes for base in type(obj).__mro__):
                return True
        if self.categories and any(
            str(category.getId()) in self.categories
            for category in takewhile(lambda one: one is not within, lineage(obj))
        ):
            return True
        return any(_excludes(name, obj) for name in self.functions)


class ReplacedExclusion(NamedTuple):
    """An exclusion that was replaced in a transaction that saw transaction *tid*, and no later."""

    tid: int
    frontier: int | None
    """The newest position that anybody had passed by then."""

    former: Exclusion


def _excludes(name: str, obj: Any) -> bool:
    try:
        return bool(_function(name)(obj))
    except Exception:
        # A change too many does no harm, a change too few is lost.
        log.exception("%s cannot tell whether a change is excluded", name)
        return False


def _function(name: str) -> Callable[[Any], bool]:
    try:
        found: Callable[[Any], bool] = named_object(current_name(name))
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"no function is found as {name!r}: give module:function") from error
    return found


def _name(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"
