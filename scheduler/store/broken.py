"""Broken objects: what stands for stored objects whose class cannot be imported."""

from __future__ import annotations

from typing import Any

from ZODB.broken import PersistentBroken


def forget_broken(obj: Any) -> None:
    """Let *obj*, if it is broken, be made anew when it is next met: its class may be back then."""
    # The cache would give the same object as long as anybody refers to it.
    if isinstance(obj, PersistentBroken) and obj._p_jar._cache.get(obj._p_oid) is obj:
        del obj._p_jar._cache[obj._p_oid]


def why_unusable(obj: Any) -> str:
    """Return why *obj*, which should be a task, is none that can be run."""
    kind = type(obj)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(obj, PersistentBroken):
        return f"the class {name} cannot be imported"
    return f"{name} is no class of tasks"
