"""Objects by name: `module:attribute`, as settings, stored names and entry points have it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def named_object(name: str) -> Any:
    """Return the object *name*, `module:attribute` or `module:class.attribute`.

    Raises ImportError, AttributeError or ValueError if it cannot be found.
    """
    module, _, attribute = name.partition(":")
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found
