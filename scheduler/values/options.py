"""Options by name: a misspelt one is refused, with the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def check_known(given: Iterable[object], known: Iterable[str], error: type[Exception]) -> None:
    """Raise *error* for the first of the *given* names that is not *known*, with the known ones."""
    names = list(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise error(f"unknown option {name!r}{hint} Known are: {', '.join(names)}")
