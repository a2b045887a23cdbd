"""Plain values: texts and numbers without a class of the application, which may go."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """Return *value*; for a text or number of a class of its own, the plain one that it is.

    Later releases read what is stored, and may lack the class, or the member of it.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    return value
